"""Does each stage of training move fidelity? In miniature: scratch, CPT, SFT, RL, several seeds, and four ablations.

    python benchmarks/train_stages.py                 three seeds; under an hour of one core
    python benchmarks/train_stages.py --quick         one seed and a few steps: says nothing, proves that it runs

A model of half a million parameters learns a world of labelled boxes (`train_stages_world.py`), by the stages as users
run them. Measured is the exact answer on trajectories that no stage has seen, in two forms: asked as it is when it
serves, which SFT and RL teach, and as the chat goes on, which is how CPT learns. Calls that change something are also
told apart. The ablations: without masking (every turn counts in the loss), without CPT before SFT, without the rule's
part of the reward, and without disjoint pools (what is measured was also trained on: how much too good that looks).

Stages are gone on with after a kill; `--work` holds them. Exit code 1: CPT did not move what is said as the chat goes
on, or SFT not what is answered when it is asked.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train_stages_report import CHAT, NEW, SEEN, STAGES, exact, gains, reported
from train_stages_world import pools

from lookahead.errors import Unreadable
from lookahead.evaluate.loading import load
from lookahead.evaluate.outcomes import Outcome, judged, unanswered
from lookahead.evaluate.report import to_html, to_json, to_markdown
from lookahead.evaluate.rules import Rules
from lookahead.train import chat, samples
from lookahead.train.config import AnyConfig, CptConfig, RlConfig, SftConfig
from lookahead.train.material import Question
from lookahead.train.run import train


def plans(work: Path, files: dict[str, Path], seed: int, scale: float) -> dict[str, AnyConfig]:
    """The stages and their ablations, in the order in which they need each other."""

    def steps(count: int) -> int:
        return max(2, round(count * scale))

    def out(name: str) -> str:
        return str(work / name.replace(" ", "-"))

    def pool(name: str) -> tuple[str]:
        return (str(files[name]),)

    common: dict[str, Any] = {"seed": seed, "context": 512, "save_every": 10_000, "log_every": 10}
    cpt = CptConfig(init="scratch:2", data=pool("cpt"), out=out("cpt"), packing=False, batch=16)
    cpt = cpt.but(**common, steps=steps(400))
    sft = SftConfig(init=f"{out('cpt')}/model", data=pool("sft"), out=out("sft"), teacher="recorded")
    sft = sft.but(**common, steps=steps(120), batch=16, turns=4)
    rl = RlConfig(init=f"{out('sft')}/model", data=pool("rl"), out=out("rl"), generations=8, batch=64)
    rl = rl.but(**common, steps=steps(25), max_answer=24)
    return {
        "cpt": cpt,
        "sft": sft,
        "rl": rl,
        "cpt without masking": cpt.but(out=out("cpt without masking"), masking=False),
        "sft without cpt": sft.but(out=out("sft without cpt"), init=f"{out('cpt')}/begin"),
        "rl without rule": rl.but(out=out("rl without rule"), rule_share=0.0),
        # CPT gone on with, in a small pool that it sees many times.
        "leaked": cpt.but(out=out("leaked"), init=f"{out('cpt')}/model", data=pool("leaked"), steps=steps(60)),
    }


def measured(model: str, file: Path, *, asked: bool, seed: int) -> list[Outcome]:
    """One outcome for each turn: the answer that the model gives when it is sure of nothing else but its best guess."""
    from lookahead.train.libraries import torch, transformers

    tokenizer = chat.ready(transformers.AutoTokenizer.from_pretrained(model))
    network = transformers.AutoModelForCausalLM.from_pretrained(model).eval()
    questions = [Question(trajectory=one, index=index) for one in samples.read(file) for index in range(len(one.turns))]
    transitions = {(one.episode, one.index): one for one in load(file)}
    found: list[Outcome] = []
    # Those of about one length are answered together: little has to be filled up, and what is filled up is not read.
    encoded = sorted(((one, _tokens(tokenizer, one, asked)) for one in questions), key=lambda pair: len(pair[1]))
    for begin in range(0, len(encoded), 64):
        batch = encoded[begin : begin + 64]
        length = len(batch[-1][1])
        fill = [length - len(ids) for _, ids in batch]
        ids = [[tokenizer.pad_token_id] * empty + ids for empty, (_, ids) in zip(fill, batch, strict=True)]
        read = [[0] * empty + [1] * (length - empty) for empty in fill]
        with torch.no_grad():
            said = network.generate(
                input_ids=torch.tensor(ids), attention_mask=torch.tensor(read), do_sample=False, max_new_tokens=40
            )
        for (question, _), tokens in zip(batch, said[:, length:].tolist(), strict=True):
            real = transitions[question.trajectory.episode, question.index]
            try:
                answer = question.domain.read(chat.said(tokenizer, tokens)[0], question.state, question.action)
                one = judged(real, answer, rules=Rules.none())
            except Unreadable as cause:
                one = unanswered(real, "failed", str(cause))
            # The same world with another seed is another case.
            found.append(one.model_copy(update={"key": f"{seed}-{one.key}", "episode": f"{seed}-{one.episode}"}))
    return found


def _tokens(tokenizer: Any, question: Question, asked: bool) -> list[int]:
    """As it is asked when it serves, or as the chat goes on: so CPT heard it, which hears no questions."""
    messages = question.messages if asked else _as_chat(question)
    return chat.question(tokenizer, messages)


def _as_chat(question: Question) -> Sequence[Any]:
    upto = question.trajectory.model_copy(update={"turns": question.trajectory.turns[: question.index + 1]})
    return samples.chat(upto)[:-1]


def one_seed(work: Path, seed: int, scale: float, sizes: dict[str, int]) -> dict[str, list[Outcome]]:
    files = pools(work / "pools", seed, sizes)
    found: dict[str, list[Outcome]] = {}

    def measure(name: str, model: str, asked: bool, pool: str = "fresh") -> None:
        found[name] = measured(model, files[pool], asked=asked, seed=seed)
        value = exact(found[name]).value or 0.0
        print(f"seed {seed}: {name}: exact {value:.3f}", file=sys.stderr, flush=True)

    for name, config in plans(work, files, seed, scale).items():
        outcome = train(config)
        print(f"seed {seed}: {name}: loss {outcome.loss}, {outcome.seconds:.0f} s", file=sys.stderr, flush=True)
        if name == "cpt":
            measure("scratch", f"{config.out}/begin", True)
            measure("scratch" + CHAT, f"{config.out}/begin", False)
        if name == "leaked":
            measure(SEEN, outcome.model, False, "seen")
            measure(NEW, outcome.model, False)
            continue
        if name in STAGES or config.stage != "cpt":
            measure(name, outcome.model, True)
        if name in STAGES or config.stage == "cpt":
            measure(name + CHAT, outcome.model, False)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of steps")
    parser.add_argument("--quick", action="store_true", help="one seed, a few steps, small pools")
    parser.add_argument("--work", type=Path, default=Path(".lookahead/train_stages"), help="where the runs are kept")
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results/train_stages"), help="where the report goes"
    )
    args = parser.parse_args(argv)
    sizes = {"cpt": 4000, "sft": 800, "rl": 400, "more": 80, "fresh": 80, "seen": 80}
    if args.quick:
        args.seeds, args.scale, sizes = 1, 0.004, {"cpt": 40, "sft": 20, "rl": 20, "more": 3, "fresh": 3, "seen": 3}
    found: dict[int, dict[str, list[Outcome]]] = {}
    report = None
    for seed in range(args.seeds):
        found[seed] = one_seed(args.work / f"seed-{seed}", seed, args.scale, sizes)
        made_of = {"world": "boxes", "model": "scratch:2", "seeds": len(found), "scale": args.scale, "sizes": sizes}
        report = reported(found, made_of)
        args.out.mkdir(parents=True, exist_ok=True)
        for name, text in (("json", to_json(report)), ("md", to_markdown(report)), ("html", to_html(report))):
            (args.out / f"report.{name}").write_text(text, encoding="utf-8")
    if report is None:
        parser.error("--seeds: at least one")
    print(to_markdown(report))
    if args.quick:
        return 0
    together = {name: [one for seed in found.values() for one in seed[name]] for name in found[0]}
    learned = (gains(together, CHAT)["cpt"].low or 0.0) > 0
    activated = (gains(together)["sft"].low or 0.0) > 0
    print("CPT moves what is said as the chat goes on: " + ("yes" if learned else "NO"))
    print("SFT moves what is answered when it is asked: " + ("yes" if activated else "NO"))
    return 0 if learned and activated else 1


if __name__ == "__main__":
    sys.exit(main())
