"""`--quiet`: the result and warnings, and nothing of the way there."""

from tests.pipeline.world_without_graphs import World


def test_a_quiet_run_prints_the_result_and_what_failed(monkeypatch, tmp_path, capfd):
    def shown(*options):
        world = World(monkeypatch, tmp_path / "-".join(options))
        world.fails = lambda step: step.kind == "source"
        result = world.crossctr("--compare", *options)
        assert result.exit_code == 3
        # While libraries run, the terminal is the descriptor itself.
        return result.output + capfd.readouterr().out

    loud, quiet = shown(), shown("--quiet")
    for progress in ("13 steps", "Full log of all", "imported in", " done in "):
        assert progress in loud
        assert progress not in quiet
    for result in ("Evaluation on ads", "0.7000", "failed: source:ctnet broke"):
        assert result in loud
        assert result in quiet
