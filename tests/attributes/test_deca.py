import pytest
import torch

from fadm.attributes.deca import DECA, DECAConfig, DetailDecoder, resize_for_deca, split_parameters


def test_parameters_are_named_in_the_released_order():
    code = split_parameters(torch.arange(236.0)[None])
    assert code.shape[0, 0] == 0 and code.texture[0, 0] == 100 and code.expression[0, 0] == 150
    assert code.pose[0, 0] == 200 and code.camera[0, 0] == 206
    assert code.light[0, 1].tolist() == [212, 213, 214]
    assert code.attributes.tolist() == [list(range(150, 206))]


def test_parameters_of_another_size_are_refused():
    with pytest.raises(RuntimeError, match="split_with_sizes"):
        split_parameters(torch.zeros(1, 235))


def test_crops_are_resized_by_pixel_areas_not_by_corners():
    ramp = (torch.arange(448.0) + 0.5).expand(1, 3, 448, 448) / 448
    expected = (torch.arange(224.0) + 0.5).expand(1, 3, 224, 224) / 224
    torch.testing.assert_close(resize_for_deca(ramp), expected)


def test_displacements_stay_within_a_hundredth():
    torch.manual_seed(0)
    decoder = DetailDecoder().eval()
    with torch.inference_mode():
        displacements = decoder(torch.randn(1, 3), torch.randn(1, 50), 1e4 * torch.randn(1, 128))
    assert displacements.shape == (1, 1, 256, 256)
    assert 0.001 < displacements.abs().max() <= 0.01


def test_faces_are_read_from_crops_of_any_size():
    deca = DECA(DECAConfig()).eval()
    image = torch.rand(1, 3, 96, 96)
    with torch.inference_mode():
        code = deca(image)
        assert code.attributes.shape == (1, 56)
        assert deca.displace(image, code).shape == (1, 1, 256, 256)


def test_detail_branch_is_absent_where_the_file_has_none():
    with torch.device("meta"):
        names = {key.partition(".")[0] for key in DECA(DECAConfig(detail=False)).state_dict()}
    assert names == {"encoder"}
