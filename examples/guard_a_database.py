"""SQL tried on the real database in a transaction that is rolled back, before it is run.

python examples/guard_a_database.py
"""

import os
import sqlite3
import tempfile

from lookahead import Refused, with_lookahead


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "shop.db")
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        database.executescript(
            """
            CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, active INTEGER);
            CREATE TABLE orders (id INTEGER PRIMARY KEY, customer REFERENCES customers ON DELETE CASCADE);
            PRAGMA foreign_keys = ON;
            INSERT INTO customers VALUES (1, 'Ada', 1), (2, 'Grace', 1), (3, 'nobody', 0);
            INSERT INTO orders VALUES (1, 1), (2, 1), (3, 2);
            """
        )

        def query(sql: str) -> list[tuple[object, ...]]:
            """Run one statement."""
            return database.execute(sql).fetchall()

        guarded = with_lookahead(query, world=f"sqlite:{path}", journal=os.path.join(folder, "journal.db"))
        for sql in (
            "SELECT count(*) FROM customers",
            "INSERT INTO customers VALUES (4, 'Edsger', 1)",
            "DELETE FROM customers WHERE active",
        ):
            try:
                print(sql, "->", guarded(sql))
            except Refused as refusal:
                print(refusal)
        print("customers:", query("SELECT count(*) FROM customers"), "orders:", query("SELECT count(*) FROM orders"))
        database.close()


if __name__ == "__main__":
    main()
