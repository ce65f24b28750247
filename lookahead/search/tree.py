"""Look where it pays: a tree that grows towards promising and little-known futures (UCT)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from lookahead.errors import ConfigError
from lookahead.search.opening import opening
from lookahead.search.thinking import Thinking, after, gather, merit
from lookahead.types import Action, Considered, Proposer, Rollout, State


@dataclass(kw_only=True, eq=False)
class Node:
    """One imagined future, and what is known of what follows it."""

    future: Considered
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list["Node"])
    visits: int = 0
    total: float = 0.0
    pending: int = 0
    closed: bool = False
    """Nothing can follow: the world failed there, nobody thought of a next action, or it is as deep as allowed."""

    @property
    def mean(self) -> float:
        # A look that is still under way counts as a loss, so that leaves chosen together differ.
        return self.total / max(1, self.visits + self.pending)

    @property
    def depth(self) -> int:
        return len(self.future.rollout.steps)


@dataclass(frozen=True)
class Tree:
    """`rounds` times: choose up to `leaves` leaves, imagine all their children at the same time, pass values up."""

    k: int = 3
    depth: int = 3
    rounds: int = 4
    branch: int = 2
    leaves: int = 2
    explore: float = 1.0
    propose: Proposer | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if min(self.k, self.depth, self.rounds, self.branch, self.leaves) < 1 or self.explore < 0:
            raise ConfigError(f"{self}: every number is at least 1, and explore at least 0")

    @property
    def calls(self) -> int:
        return self.k + self.rounds * self.leaves * self.branch

    async def __call__(self, thinking: Thinking, state: State, proposed: Action, /) -> Sequence[Considered]:
        first = await thinking.judge(state, await opening(thinking, state, proposed, self.k - 1, self.propose))
        if len(first) == 1:
            return first
        roots = [self._node(one, None, thinking) for one in first]
        for _ in range(self.rounds):
            chosen = self._choose(roots)
            if not chosen:
                break
            following = await gather(lambda leaf: self._branches(thinking, state, leaf.future.rollout), chosen)
            going = [(leaf, action) for leaf, actions in zip(chosen, following, strict=True) for action in actions]
            longer = await thinking.extend(state, [(leaf.future.rollout, action) for leaf, action in going])
            judged = await thinking.judge(state, longer)
            for leaf, actions in zip(chosen, following, strict=True):
                leaf.closed = leaf.closed or not actions
            for (leaf, _), future in zip(going, judged, strict=True):
                leaf.children.append(self._node(future, leaf, thinking))
            self._settle(chosen)
        return [self._summary(root) for root in roots]

    def _choose(self, roots: Sequence[Node]) -> list[Node]:
        """Different open leaves, each by walking down where value and ignorance are highest."""
        chosen: list[Node] = []
        while len(chosen) < self.leaves:
            leaf = self._descend([root for root in roots if _open(root)], sum(root.visits for root in roots))
            if leaf is None:
                break
            chosen.append(leaf)
            node: Node | None = leaf
            while node is not None:
                node.pending += 1
                node = node.parent
        return chosen

    def _descend(self, nodes: Sequence[Node], visits: int) -> Node | None:
        if not nodes:
            return None
        best = max(nodes, key=lambda node: self._promise(node, visits))
        if not best.children:
            return best
        return self._descend([child for child in best.children if _open(child)], best.visits)

    def _promise(self, node: Node, visits: int) -> float:
        looked = max(1, node.visits + node.pending)
        return node.mean + self.explore * math.sqrt(math.log(1 + visits) / looked)

    def _settle(self, chosen: Sequence[Node]) -> None:
        for leaf in chosen:
            node: Node | None = leaf
            while node is not None:
                node.pending -= 1
                node = node.parent

    def _node(self, future: Considered, parent: Node | None, thinking: Thinking) -> Node:
        node = Node(future=future, parent=parent)
        node.closed = bool(future.rollout.failure) or node.depth >= thinking.horizon(self.depth)
        value = future.verdict.score if future.verdict else 0.0
        above: Node | None = node
        while above is not None:
            above.visits += 1
            above.total += value
            above = above.parent
        return node

    def _summary(self, root: Node) -> Considered:
        """The best future that begins with this action; its score is the mean of all that was seen below it."""
        best = root
        while best.children:
            best = max(best.children, key=lambda node: merit(node.future))
        if best.future.verdict is None:
            return best.future
        verdict = best.future.verdict.model_copy(update={"score": root.total / root.visits})
        return Considered(rollout=best.future.rollout, verdict=verdict)

    async def _branches(self, thinking: Thinking, state: State, rollout: Rollout) -> list[Action]:
        return await thinking.propose(after(state, rollout), self.branch, self.propose)


def _open(node: Node) -> bool:
    if node.children:
        return any(_open(child) for child in node.children)
    return not node.closed and node.pending == 0
