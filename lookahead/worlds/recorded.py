"""A world that answers from the record: this very call, in this very state, was made before."""

from collections import OrderedDict
from typing import Final

import anyio.to_thread

from lookahead.canonical import digest_of
from lookahead.errors import JournalError, NotMyWorld, WorldError
from lookahead.journal import Call, Journal
from lookahead.ledger import agree
from lookahead.types import Action, Cost, Observation, Origin, State
from lookahead.worlds.past import Past, is_whole

REMEMBERED: Final = 100_000
"""Of how many different calls in different states the whereabouts are kept in memory."""
COMPARED: Final = 16
"""How many of the answers to one call are compared with each other, the latest ones."""


class RecordedWorld:
    """The last answer on record to exactly this call (tool, arguments) in exactly this state; else `NotMyWorld`.

    Its confidence is the share of the recorded answers that said the same. Only what really happened is on record: not
    what was imagined, nor what the guard said in its place. An answer that was kept in part is none.
    """

    def __init__(self, journal: Journal, *, name: str = "recorded", exclude_run: str | None = None) -> None:
        self.name = name
        self._journal = journal
        self._exclude = exclude_run
        self._calls: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._past = Past(journal=journal, learn=self._learn)

    async def __call__(self, state: State, action: Action, /) -> Observation:
        key = digest_of(state.digest, action.digest)
        answers = await anyio.to_thread.run_sync(self._answers, key, abandon_on_cancel=True)
        if not answers:
            raise NotMyWorld(f"{self.name}: this call of {action.tool!r} in this state is not on record")
        last = answers[-1]
        if not is_whole(last):
            raise NotMyWorld(f"{self.name}: the answer of {action.tool!r} was too long to be kept whole")
        same = sum(agree(one, last).agreed for one in answers)
        origin = Origin(kind="recorded", world=self.name, confidence=same / len(answers))
        return last.model_copy(update={"origin": origin, "cost": Cost()})

    def _learn(self, call: Call, said: Observation) -> None:
        assert call.intended is not None
        if call.run == self._exclude:
            return
        key = digest_of(call.decided.state, call.intended.action_digest)
        self._calls[key] = (*self._calls.pop(key, ()), call.call)[-COMPARED:]
        if len(self._calls) > REMEMBERED:
            self._calls.popitem(last=False)

    def _answers(self, key: str) -> list[Observation]:
        """From the file each time: what is kept in memory is only where to look."""
        try:
            self._past.read_on()
            found = [call for name in self._calls.get(key, ()) for call in self._journal.calls(starting=name)]
        except JournalError as cause:
            raise WorldError(f"{self.name} cannot look it up: {cause}") from cause
        return [call.resulted.observation for call in found if call.resulted is not None]
