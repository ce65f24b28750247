"""Language models, all of them `Complete`: an endpoint, an engine in this process, a script.

Each is imported where it is used: `lookahead.models.openai` needs the extra of its name, and nothing else does.
"""

from lookahead.models.choose import model_at, names_a_model
from lookahead.models.likely import probability_of
from lookahead.models.scripted import ScriptedModel

__all__ = ["ScriptedModel", "model_at", "names_a_model", "probability_of"]
