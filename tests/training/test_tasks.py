import json
import tarfile
from dataclasses import replace

import pytest
import torch

from fadm.attributes.landmark_model import hash_numbers, load_landmark_model
from fadm.coarse.loading import load_coarse
from fadm.config import config_to_dict
from fadm.data.pairs.store import PairOptions
from fadm.data.synthetic.clips import SyntheticOptions, write_synthetic_shards
from fadm.errors import InputError, OptionError, WeightsError
from fadm.rendering.options import RenderOptions
from fadm.training.loop import train
from fadm.training.objectives.distillation import DistillationConfig, DistillationStages
from fadm.training.objectives.face_vid2vid import FaceVid2VidObjectiveConfig
from fadm.training.objectives.fomm import FOMMObjectiveConfig
from fadm.training.objectives.renderer import RendererObjectiveConfig
from fadm.training.options import CoarseOptions, DataOptions, OptimizerOptions, RunOptions
from fadm.training.recipes import DistillationRecipe, FaceVid2VidRecipe, FOMMRecipe, RendererRecipe
from fadm.training.run_folder import RunFolder, read_metrics
from fadm.training.tasks import distillation_task, face_vid2vid_task, fomm_task, renderer_task
from fadm.weights.store import save_weights
from tests.data.test_shards import write_shard
from tests.tiny_networks import TOLD_LANDMARKS
from tests.training import tiny
from tests.training.runs import RENDERER

SIDE = 64
RUN = RunOptions(steps=2, batch_size=2, validation_samples=2, precision="float32")
COARSE = CoarseOptions(
    pairs=PairOptions(sources_per_clip=1, drivings_per_source=2, mirrored=False), validation_pairs_per_clip=1
)
RENDER = RenderOptions(sampler="ddim", num_steps=1, eta=0, precision="float32")


def silent(what, done, total):
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def data(folder):
    options = SyntheticOptions(clips=2, validation_clips=1, frames=3, size=SIDE)
    train, held_out = write_synthetic_shards(folder, options)
    return DataOptions(
        shards=tuple(map(str, train)),
        validation=tuple(map(str, held_out)),
        size=SIDE,
        cache=str(folder / "cache"),
        workers=0,
    )


@pytest.fixture(scope="module")
def recipe(data):
    objective = RendererObjectiveConfig(renderer=RENDERER)
    return RendererRecipe(objective=objective, data=data, coarse=COARSE, run=RUN, render=RENDER)


def save_renderer(path, network, **metadata):
    told = TOLD_LANDMARKS | metadata
    save_weights(path, network.state_dict(), config=config_to_dict(network.config), metadata=told)
    return path


def test_a_renderers_task_is_complete(recipe):
    told = []
    task = renderer_task(recipe, lambda *words: told.append(words))
    assert {what for what, _, _ in told} == {"pairs", "validation pairs"} and told[0][1:] == (1, 2)
    assert task.metadata["fadm"] == {
        "kind": "fadm",
        "attributes": "landmarks",
        "face_model": hash_numbers(load_landmark_model()),
        "trained_on": "2 clips of 2 people",
        "tiers": "open: 2",
        "sources": "synthetic faces of the package's landmark model: Apache-2.0",
        "licence": "Apache-2.0",
        "commercial": "true",
    }
    assert task.samples[0]["coarse"].shape == (3, SIDE, SIDE)
    assert not torch.equal(task.samples[0]["seed"], task.samples[1]["seed"])
    judged = task.validate({"fadm": task.objective.networks["fadm"].eval()})
    assert judged.numbers["l1"] == pytest.approx(judged.numbers["l1_coarse"], rel=1e-4)  # untrained
    assert judged.grid.shape == (SIDE, 4 * SIDE, 3)


def test_the_seed_says_how_networks_begin(recipe):
    first, again, other = (
        renderer_task(replace(recipe, run=replace(RUN, seed=seed)), silent).objective.generator.state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_a_run_begins_with_the_weights_that_it_names(recipe, tmp_path):
    other = renderer_task(replace(recipe, run=replace(RUN, seed=1)), silent).objective.networks["fadm"]
    path = save_renderer(tmp_path / "start.safetensors", other)
    started = renderer_task(replace(recipe, run=replace(RUN, start=str(path))), silent).objective.networks["fadm"]
    assert all(torch.equal(a, b) for a, b in zip(started.parameters(), other.parameters(), strict=True))
    with pytest.raises(WeightsError, match="nowhere"):
        renderer_task(replace(recipe, run=replace(RUN, start="nowhere")), silent)


def test_what_would_end_a_run_is_found_before_pairs_are_made(recipe, tmp_path):
    def prepare(**changes):
        renderer_task(replace(recipe, **changes), lambda *words: pytest.fail(f"too late: {words}"))

    network = renderer_task(recipe, silent).objective.networks["fadm"]
    imported = save_renderer(tmp_path / "imported.safetensors", network, attributes="deca")
    with pytest.raises(OptionError, match=r"'landmarks', but .*imported.* was trained with those of deca"):
        prepare(run=replace(RUN, start=str(imported)))
    with pytest.raises(OptionError, match="11 sampling steps are not possible; choose 1 to 10"):
        prepare(render=replace(RENDER, num_steps=11))
    with pytest.raises(OptionError, match="multiples of 4, not 30x30"):
        prepare(data=replace(recipe.data, size=30))


def test_a_stage_of_distillation_begins_with_its_teacher(recipe, tmp_path):
    teacher = renderer_task(recipe, silent).objective.networks["fadm"]
    path = save_renderer(tmp_path / "teacher.safetensors", teacher)
    stage = DistillationConfig(teacher_steps=4, student_steps=2)
    distillation = DistillationRecipe(
        teacher=str(path),
        objective=DistillationStages(teacher_steps=4, steps=(2,)),
        data=recipe.data,
        coarse=COARSE,
        run=RUN,
    )
    task = distillation_task(distillation, stage, str(path), silent)
    student = task.objective.networks["fadm"]
    assert all(torch.equal(a, b) for a, b in zip(student.parameters(), teacher.parameters(), strict=True))
    assert task.metadata["fadm"]["kind"] == "fadm" and task.objective.discriminator is None
    with pytest.raises(OptionError, match=r"run\.start has no place in a distillation"):
        distillation_task(replace(distillation, run=replace(RUN, start=str(path))), stage, str(path), silent)
    with pytest.raises(WeightsError, match=r"fomm.safetensors: these weights are of kind fomm, fadm is needed"):
        fomm = tiny_fomm(recipe.data).objective.networks["fomm"]
        distillation_task(
            distillation, stage, str(save_renderer(tmp_path / "fomm.safetensors", fomm, kind="fomm")), silent
        )


def tiny_fomm(data):
    config = FOMMObjectiveConfig(network=tiny.FOMM, reconstruction=tiny.RECONSTRUCTION)
    return fomm_task(FOMMRecipe(objective=config, data=data, run=RUN), silent)


def tiny_face_vid2vid(data):
    config = FaceVid2VidObjectiveConfig(
        network=tiny.FACE_VID2VID,
        reconstruction=tiny.RECONSTRUCTION,
        discriminator=tiny.DISCRIMINATOR,
        adversarial_weight=1,
    )
    return face_vid2vid_task(FaceVid2VidRecipe(objective=config, data=data, run=RUN), silent)


@pytest.mark.parametrize(("name", "build"), [("fomm", tiny_fomm), ("face_vid2vid", tiny_face_vid2vid)])
def test_coarse_generators_learn_from_clips(data, tmp_path, name, build):
    task = build(data)
    assert task.metadata.keys() == {name} and task.metadata[name]["kind"] == name
    sample = task.samples[0]
    assert sample["driving"].shape == (3, SIDE, SIDE) and sample["pose"].shape == (3,)
    (tmp_path / "samples").mkdir()
    optimizer = OptimizerOptions()
    train(task, RUN, data, {"generator": optimizer, "discriminator": optimizer}, RunFolder(tmp_path))
    last = read_metrics(tmp_path / "metrics.jsonl")[-1]
    assert last["step"] == RUN.steps and {"validation/l1", "validation/l1_source"} <= last.keys()
    assert isinstance(load_coarse(tmp_path / f"{name}-last.safetensors"), type(task.objective.networks[name]))


def test_clips_that_cannot_be_learned_from_are_refused(recipe, data):
    def prepare(**changes):
        renderer_task(replace(recipe, data=replace(data, **changes)), silent)

    with pytest.raises(InputError, match=r"no data\.validation; give shards of held-out identities"):
        prepare(validation=())
    with pytest.raises(InputError, match=r"and data\.shards share identities, among them synthetic-train"):
        prepare(validation=data.shards)


def test_the_tier_chooses_clips(data, tmp_path):
    closed = write_closed_copy(data.shards[0], tmp_path / "closed.tar")
    both = replace(data, shards=(*data.shards, str(closed)))
    assert tiny_fomm(both).metadata["fomm"]["licence"] == "research and non-commercial use"
    assert tiny_fomm(replace(both, tier="open")).metadata["fomm"]["licence"] == "Apache-2.0"
    with pytest.raises(InputError, match=r"no videos of tier 'open' with at least 2 frames in data\.shards"):
        tiny_fomm(replace(data, shards=(str(closed),), tier="open"))


def test_a_renderer_is_trained_on_stills_too(recipe, data, tmp_path):
    stills = write_closed_copy(data.shards[0], tmp_path / "stills.tar", tier="open-doubtful", is_video=False)
    with_stills = replace(data, shards=(*data.shards, str(stills)))
    task = renderer_task(replace(recipe, data=with_stills), silent)
    told = task.metadata["fadm"]
    assert told["trained_on"] == "4 clips of 4 people" and told["tiers"] == "open: 2, open-doubtful: 2"
    assert told["licence"] == "research and non-commercial use"
    assert task.samples.stills_share == 0.25
    assert task.samples.parts[1][0].rows["still"].shape == (2 * COARSE.pairs_per_still, SIDE, SIDE, 3)
    open_alone = renderer_task(replace(recipe, data=replace(with_stills, tier="open")), silent)
    assert open_alone.metadata["fadm"]["tiers"] == "open: 2" and open_alone.samples.stills_share == 0
    none = renderer_task(replace(recipe, data=with_stills, coarse=replace(COARSE, stills_share=0)), silent)
    assert none.metadata["fadm"]["tiers"] == "open: 2"
    with pytest.raises(InputError, match=r"no videos of tier 'all' with at least 2 frames in data\.shards"):
        renderer_task(replace(recipe, data=replace(data, shards=(str(stills),))), silent)


def write_closed_copy(shard, path, tier="research", is_video=True):
    """The shard's clips under other terms, of people with other names, perhaps not as videos."""
    content = {}
    with tarfile.open(shard) as tar:
        for member in tar:
            data = tar.extractfile(member).read()
            if member.name.endswith(".json"):
                info = json.loads(data)
                if not is_video:
                    del info["frame_numbers"]
                data = json.dumps(info | {"tier": tier, "identity": "other " + info["identity"]}).encode()
            content[member.name] = data
    return write_shard(path, content)
