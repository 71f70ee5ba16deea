"""Transfer the driver's change of pose and expression to the source's landmarks."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import FittedFace, LandmarkModel, pose_landmarks
from fadm.attributes.lids import LOWER, UPPER, measure_openings
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from fadm.coarse.geometric.expressions import ExpressionSolver
from fadm.coarse.geometric.mouth import JAW_OPEN, carry_opening, jaw_displacement
from fadm.face import topology
from fadm.options import Gains

LARGEST_SHIFT = 0.7  # of the distance between the head's outline and where nothing moves
SIZE_RANGE = (0.75, 1.3)  # change of the head's size in the picture
CLOSED, HALF_OPEN = 0.24, 0.5  # tracked openings, of the neutral face's: of closed eyes, and from which they are exact
SEEN_SHARE = 0.75  # of a movement, which a tracker sees in a warped picture of another person
WIDEST = 1.4  # greatest opening of an eye, of the neutral face's


class MotionTransfer:
    """Moves one source's landmarks by a driver's attributes."""

    def __init__(
        self,
        model: LandmarkModel,
        source: FittedFace,
        solver: ExpressionSolver,
        gains: Gains,
        driver_identity: Tensor,
        reach: float | None,
    ):
        """Compute what depends only on the source and on the driver's identity.

        Args:
            model: The face model.
            source: The source's fitted face.
            solver: Corrects the source's expressions.
            gains: Factors of the parts of the motion.
            driver_identity: The driver's identity coefficients (1, I).
            reach: Distance in pixels between the head's outline and the fixed surroundings, which limits the head's
                motion; None does not limit it: the source is a frame of the driver's clip.
        """
        self.model, self.source, self.solver, self.gains, self.reach = model, source, solver, gains, reach
        self.driver_neutral = model.shape(driver_identity)
        self.source_neutral = model.shape(source.identity)
        self.mouth_scale = (_mouth_width(self.source_neutral) / _mouth_width(self.driver_neutral)).clamp(0.6, 1.6)
        self.eye_scale = _eye_widths(self.source_neutral) / _eye_widths(self.driver_neutral)
        self.usual, self.own_usual = measure_openings(self.driver_neutral), measure_openings(self.source_neutral)
        self.own = measure_openings(source.canonical).clamp(min=0)
        self.mouth_share, self.brow_share = region_shares(model.mean)
        self.jaw_opening = jaw_displacement(model)

    def move(
        self,
        driving: FaceAttributes,
        anchor: FaceAttributes | None,
        blendshapes: Tensor,
        anchor_blendshapes: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Move the source's landmarks by the driver's change from its anchor.

        The change of the landmarks is transferred first, and then corrected until the source's blendshape coefficients
        change as the driver's do: faces of other proportions show the same expression by other displacements.

        Args:
            driving: The driver's attributes (B).
            anchor: The driver's attributes (1) from which its motion is measured; None for absolute motion, which
                takes its expression and head rotation as they are.
            blendshapes: The driver's coefficients (B, 52).
            anchor_blendshapes: Its coefficients (1, 52) in the anchor frame; None for the source's own, to which an
                absolute motion and a source of the driver's clip are compared.

        Returns:
            New landmarks (B, 478, 3), and the source's landmarks moved by the head alone (B, 478, 3), both in the
            source's pixels.
        """
        source, gains, full = self.source, self.gains, Gains()
        reference = source.attributes if anchor is None else anchor
        head, camera = self._move_head(driving, reference, anchor is None)
        posed = FaceAttributes(
            driving.expression, torch.cat([head, driving.jaw], 1), camera, driving.gaze, driving.lids
        )
        rest = self.solver.rest
        driver_rest = rest if anchor_blendshapes is None else anchor_blendshapes
        wanted = rest + blendshapes - driver_rest
        jaw_open = carry_opening(*(part[:, JAW_OPEN] for part in (rest, blendshapes, driver_rest)))
        widening = (jaw_open - wanted[:, JAW_OPEN])[:, None, None] * self.jaw_opening
        wanted[:, JAW_OPEN] = jaw_open
        guess = self._transfer_change(driving, anchor, widening, full)
        seen = 1.0 if self.reach is None else SEEN_SHARE
        correction = self.solver.correct(guess, posed, wanted, seen)
        shape = guess if gains == full else self._transfer_change(driving, anchor, widening, gains)
        shape = _part_lips(_meet_lids(self._correct_lids(shape, self._factors(gains) * correction)))
        return pose_landmarks(shape, posed), pose_landmarks(source.canonical, posed)

    def _transfer_change(
        self, driving: FaceAttributes, anchor: FaceAttributes | None, widening: Tensor, gains: Gains
    ) -> Tensor:
        """Move the source's face (B, 478, 3) by the change of the driver's landmarks, scaled to its proportions.

        `widening` (B, 478, 3) is how the jaw opens farther than the driver's.
        """
        reference = self.source.attributes if anchor is None else anchor
        rest = self.model.displacement(reference.expression, reference.jaw)
        motion = self.model.displacement(driving.expression, driving.jaw) - rest
        share = gains.mouth_gain * self.mouth_scale * self.mouth_share + gains.brows_gain * self.brow_share
        share = share + gains.eyes_gain * (1 - self.mouth_share - self.brow_share)
        shape = self.source.canonical + share[:, None] * motion + gains.mouth_gain * widening
        rest_openings = measure_openings(self.driver_neutral + rest)
        openings = rest_openings + measure_openings(motion) + driving.lids
        rest_openings = rest_openings + reference.lids
        if anchor is None:
            shape = self._open_lids(shape, openings, self.usual * self.own / self.own_usual, gains.eyes_gain)
            rest_openings = rest_openings - self.usual + self.own_usual
            rest_gaze = _seen_gaze(reference.gaze, rest_openings / self.own_usual)
        else:
            shape = self._open_lids(shape, openings, self._calibrate(rest_openings), gains.eyes_gain)
            rest_gaze = _seen_gaze(reference.gaze, rest_openings / self.usual)
        gaze = _seen_gaze(driving.gaze, openings / self.usual) - rest_gaze
        return self._turn_irises(_part_lips(shape), gains.gaze_gain * self.eye_scale * gaze)

    def _correct_lids(self, shape: Tensor, correction: Tensor) -> Tensor:
        """Add a correction (B, 478, 3) to a face; the less its eyes are open, the less their openings change."""
        shares = (measure_openings(shape) / self.own.clamp(min=1e-6)).clamp(0, 1)[..., None, None]
        correction = correction.clone()
        correction[:, UPPER] = torch.lerp(correction[:, LOWER], correction[:, UPPER], shares)
        return shape + correction

    def _factors(self, gains: Gains) -> Tensor:
        """Gain of each landmark's correction (478, 1)."""
        mouth, brows = self.mouth_share, self.brow_share
        factors = gains.mouth_gain * mouth + gains.brows_gain * brows + gains.eyes_gain * (1 - mouth - brows)
        for _, _, iris in topology.EYES:
            factors[list(iris)] = gains.gaze_gain
        return factors[:, None]

    def _move_head(
        self, driving: FaceAttributes, reference: FaceAttributes, is_absolute: bool
    ) -> tuple[Tensor, Tensor]:
        """Compute the source's new head rotation (B, 3) and camera (B, 3).

        The driver's turn from its anchor is applied in the head's own frame: R_source (R_anchor^T R_driving).
        """
        own = self.source.attributes
        turn = axis_angle_to_matrix(reference.head).transpose(1, 2) @ axis_angle_to_matrix(driving.head)
        turn = axis_angle_to_matrix(self.gains.rotation_gain * matrix_to_axis_angle(turn))
        head = matrix_to_axis_angle(axis_angle_to_matrix(own.head) @ turn)
        if is_absolute:  # places and sizes mean something in a shared picture only: the head stays where it is
            return head, own.camera.expand(len(driving), -1)
        gain = self.gains.translation_gain
        size = (driving.camera[:, :1] / reference.camera[:, :1]) ** gain
        shift = gain * (driving.camera[:, 1:] - reference.camera[:, 1:]) / reference.camera[:, :1]
        shift = shift * own.camera[:, :1]
        if self.reach is not None:
            size, shift = _limit_size(size), _limit_length(shift, LARGEST_SHIFT * self.reach)
        return head, torch.cat([own.camera[:, :1] * size, own.camera[:, 1:] + shift], 1)

    def _open_lids(self, shape: Tensor, openings: Tensor, rest: Tensor, gain: float) -> Tensor:
        """Change each eye's opening by the driver's relative one, so that a blink closes eyes of any size.

        `openings` (B, 2) are the driver's as they are tracked, `rest` (1, 2) its real ones in the anchor frame.
        """
        rest = torch.maximum(rest, 0.5 * self.usual)
        change = self._calibrate(openings) - rest
        widening = (self.own_usual / self.usual) * (self.own / self.own_usual).clamp(max=1)
        wanted = (self.own + gain * change * torch.where(change < 0, self.own / rest, widening)).clamp(min=0)
        wanted = torch.minimum(wanted, torch.maximum(self.own, WIDEST * self.own_usual))
        shape = shape.clone()
        lids = shape[:, UPPER] - shape[:, LOWER]
        lids[..., 1].clamp_(max=0)  # they meet and do not cross
        present = -lids[..., 1].mean(2)
        profile = self.source_neutral[:, UPPER] - self.source_neutral[:, LOWER]  # of an open eye
        profile = profile * ((wanted - present).clamp(min=0) / self.own_usual)[..., None, None]
        closing = (wanted / present.clamp(min=1e-6)).clamp(0, 1)[..., None, None]
        shape[:, UPPER] = shape[:, LOWER] + closing * lids + profile
        return shape

    def _calibrate(self, openings: Tensor) -> Tensor:
        """Correct the driver's tracked openings (B, 2): landmarks of closed lids do not quite meet."""
        slope = HALF_OPEN / (HALF_OPEN - CLOSED)
        return torch.minimum(openings, slope * (openings - CLOSED * self.usual)).clamp(min=0)

    def _turn_irises(self, shape: Tensor, gaze: Tensor) -> Tensor:
        """Place both irises in a face (B, 478, 3): between the corners of the eyes as in the source, moved by gaze."""
        shape = shape.clone()
        for (upper, _, iris), shift in zip(topology.EYES, gaze.split(2, dim=1), strict=True):
            corners = [upper[0], upper[-1]]
            moved = (shape - self.source.canonical)[:, corners].mean(1) + F.pad(shift, (0, 1))
            shape[:, list(iris)] = self.source.canonical[:, list(iris)] + moved[:, None]
        return shape


def region_shares(mean: Tensor) -> tuple[Tensor, Tensor]:
    """Compute to which share each landmark belongs to the mouth with the jaw, and to the brows.

    Args:
        mean: Mean face of the model (478, 3).

    Returns:
        Shares of the mouth and of the brows, (478,) each in [0, 1].
    """
    mouth_centre = mean[list(topology.MOUTH_CORNERS)].mean(0)
    nose_to_mouth = mouth_centre[1] - mean[topology.NOSE_TIP, 1]
    mouth = torch.sigmoid(8 * (mean[:, 1] - mean[topology.NOSE_TIP, 1] - 0.4 * nose_to_mouth) / nose_to_mouth)
    eye_line = mean[[topology.UPPER_LID_RIGHT[0], topology.UPPER_LID_LEFT[0]], 1].mean()
    brow_line = mean[list(topology.BROW_RIGHT + topology.BROW_LEFT), 1].mean()
    height = eye_line - brow_line
    brows = torch.sigmoid(8 * (eye_line - 0.6 * height - mean[:, 1]) / height)
    return mouth, brows


def _limit_length(vectors: Tensor, limit: float) -> Tensor:
    """Shorten vectors (B, 2) smoothly to a limit; vectors up to half of it are unchanged."""
    length = vectors.norm(dim=1, keepdim=True).clamp(min=1e-8)
    half = limit / 2
    shortened = half + half * torch.tanh((length - half) / half)
    return vectors * torch.where(length > half, shortened / length, 1.0)


def _limit_size(sizes: Tensor) -> Tensor:
    """Bring factors of size (B, 1) smoothly into SIZE_RANGE; those up to half of the way to a limit are unchanged."""
    logs = sizes.log()
    limit = torch.where(logs < 0, -math.log(SIZE_RANGE[0]), math.log(SIZE_RANGE[1]))
    half = limit / 2
    shortened = half + half * torch.tanh((logs.abs() - half) / half)
    return torch.where(logs.abs() > half, logs.sign() * shortened, logs).exp()


def _eye_widths(shape: Tensor) -> Tensor:
    """Widths of the right and the left eye, once for each number of the gaze (B, 4)."""
    widths = [(shape[:, upper[0]] - shape[:, upper[-1]]).norm(dim=-1) for upper, _, _ in topology.EYES]
    return torch.stack(widths, 1).repeat_interleave(2, 1)


def _mouth_width(shape: Tensor) -> Tensor:
    return (shape[:, topology.MOUTH_CORNERS[0]] - shape[:, topology.MOUTH_CORNERS[1]]).norm(dim=-1)


def _seen_gaze(gaze: Tensor, openings: Tensor) -> Tensor:
    """Gaze (B, 4), less the more the eyes close, by their openings over the usual ones (B, 2).

    Irises behind lids are only guessed.
    """
    return gaze * ((openings - CLOSED) / (HALF_OPEN - CLOSED)).clamp(0, 1).repeat_interleave(2, 1)


def _meet_lids(shape: Tensor) -> Tensor:
    """Let the upper lid meet the lower one where it would cross it."""
    shape = shape.clone()
    shape[:, UPPER, 1] = torch.minimum(shape[:, UPPER, 1], shape[:, LOWER, 1])
    return shape


def _part_lips(shape: Tensor) -> Tensor:
    """Let the inner lips meet in the middle where they would cross."""
    upper, lower = list(topology.INNER_UPPER_LIP[1:-1]), list(topology.INNER_LOWER_LIP[1:-1])
    overlap = (shape[:, upper, 1] - shape[:, lower, 1]).clamp(min=0) / 2
    shape = shape.clone()
    shape[:, upper, 1] -= overlap
    shape[:, lower, 1] += overlap
    return shape
