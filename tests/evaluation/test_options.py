import pytest

from fadm.errors import OptionError
from fadm.evaluation.options import GROUPS, AblationOptions, RunOptions
from fadm.options import RefineOptions


def test_groups_keep_their_order():
    assert RunOptions().groups == GROUPS
    assert RunOptions(metrics="landmarks, pixel").groups == ("pixel", "landmarks")


def test_an_ablation_has_rising_steps():
    options = AblationOptions(steps="8,1,8", without="motion, source")
    assert options.step_counts == (1, 8) and options.conditions == ("motion", "source")
    assert AblationOptions().conditions == ()


def test_a_renderers_options_have_one_default():
    for name in ("preset", "sampler", "eta", "strength", "steps"):
        assert getattr(RunOptions(), name) == getattr(RefineOptions(), name)


MISTAKES = [
    ({"protocol": "random"}, "--protocol random: give random-pairs, reconstruction, cross-identity or two-folders"),
    ({"count": 0}, "--count 0: give a number from 1"),
    ({"seed": -1}, "--seed -1"),
    ({"metrics": "pixels"}, "--metrics pixels: give pixel, perceptual"),
    ({"motion": "worst"}, "--motion worst: give best, first or absolute"),
    ({"sampler": "euler"}, "--sampler euler"),
    ({"steps": 0}, "--steps 0"),
]


@pytest.mark.parametrize(("given", "said"), MISTAKES)
def test_mistakes_are_named(given, said):
    with pytest.raises(OptionError, match=said):
        RunOptions(**given)


def test_mistakes_of_an_ablation():
    with pytest.raises(OptionError, match="--steps 1,x: give whole numbers"):
        AblationOptions(steps="1,x")
    with pytest.raises(OptionError, match="--without light: give appearance, motion, source or person"):
        AblationOptions(without="light")
