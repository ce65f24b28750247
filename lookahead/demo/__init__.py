"""`lookahead demo`: a scripted agent tidies a small project in a throw-away folder. What is shown is computed."""
