import importlib.util
from pathlib import Path

import pytest


def test_a_short_run_of_the_format_benchmark_misses_no_figure(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "format.py"
    spec = importlib.util.spec_from_file_location("format_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    missed = benchmark.main(["--mutations", "2000", "--seed", "7", "--length", "20000"])
    said = capsys.readouterr().out
    assert not missed, said
    assert "3,000 identical" in said
