"""FLAME: a head mesh deformed by shape, expression and pose; its landmarks and its projection.

Li et al., "Learning a model of facial shape and expression from 4D scans", SIGGRAPH Asia 2017, section 3.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fadm.attributes.rotation import axis_angle_to_matrix

NUM_JOINTS = 5  # root, neck, jaw, left eye, right eye


@dataclass(frozen=True, kw_only=True)
class FLAMEConfig:
    """Sizes of the mesh and of its two linear bases; the defaults are those of the released model.

    Attributes:
        num_vertices: Vertices V.
        num_triangles: Triangles F.
        num_shape: Coefficients of the shape basis.
        num_expression: Coefficients of the expression basis.
    """

    num_vertices: int = 5023
    num_triangles: int = 9976
    num_shape: int = 300
    num_expression: int = 100


def full_pose(pose: Tensor) -> Tensor:
    """Assign head and jaw to FLAME's joints; neck and eyes stay at rest.

    Args:
        pose: Head rotation, then jaw rotation (B, 6), each axis-angle in radians.

    Returns:
        Axis-angle of each joint (B, 5, 3) in radians: root, neck, jaw, left eye, right eye.
    """
    rest = torch.zeros_like(pose[:, :3])
    return torch.stack([pose[:, :3], rest, pose[:, 3:], rest, rest], dim=1)


def skin(vertices: Tensor, joints: Tensor, rotations: Tensor, weights: Tensor, parents: list[int]) -> Tensor:
    """Pose vertices by linear blend skinning (FLAME, eq. 1): each joint rotates about its place and moves its children.

    Args:
        vertices: Vertices at rest (B, V, 3).
        joints: Joints at rest (B, J, 3).
        rotations: Rotation of each joint relative to its parent (B, J, 3, 3).
        weights: Skinning weights (V, J).
        parents: Parent of each joint, J numbers; the first joint is the root and its number is ignored.

    Returns:
        Posed vertices (B, V, 3).
    """
    posed_rotations, posed_joints = [rotations[:, 0]], [joints[:, 0]]
    for joint, parent in enumerate(parents[1:], start=1):
        bone = (joints[:, joint] - joints[:, parent]).unsqueeze(-1)
        posed_joints.append(posed_joints[parent] + (posed_rotations[parent] @ bone).squeeze(-1))
        posed_rotations.append(posed_rotations[parent] @ rotations[:, joint])
    turn = torch.stack(posed_rotations, dim=1)  # (B, J, 3, 3)
    shift = torch.stack(posed_joints, dim=1) - torch.einsum("bjmn,bjn->bjm", turn, joints)  # (B, J, 3)
    moved = torch.einsum("vj,bjmn,bvn->bvm", weights, turn, vertices)
    return moved + torch.einsum("vj,bjm->bvm", weights, shift)


class FLAME(nn.Module):
    """The head model; its arrays come from the released file and are not trained.

    Args:
        config: Sizes of the arrays.
    """

    template: Tensor
    triangles: Tensor
    directions: Tensor
    pose_directions: Tensor
    kinematic_tree: Tensor
    joint_regressor: Tensor
    skinning_weights: Tensor

    def __init__(self, config: FLAMEConfig) -> None:
        super().__init__()
        self.config = config
        V = config.num_vertices
        self.register_buffer("template", torch.zeros(V, 3))
        self.register_buffer("triangles", torch.zeros(config.num_triangles, 3, dtype=torch.int64))
        self.register_buffer("directions", torch.zeros(V, 3, config.num_shape + config.num_expression))
        self.register_buffer("pose_directions", torch.zeros(V, 3, 9 * (NUM_JOINTS - 1)))
        self.register_buffer("kinematic_tree", torch.zeros(2, NUM_JOINTS, dtype=torch.int64))
        self.register_buffer("joint_regressor", torch.zeros(NUM_JOINTS, V))
        self.register_buffer("skinning_weights", torch.zeros(V, NUM_JOINTS))

    def forward(self, shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        """Compute the mesh (FLAME, eq. 2 to 5).

        Args:
            shape: First n coefficients of the shape basis (B, n).
            expression: First m coefficients of the expression basis (B, m).
            pose: Head rotation, then jaw rotation (B, 6), each axis-angle in radians.

        Returns:
            Vertices (B, V, 3) in metres: x to the head's left, y up, z out of the face.
        """
        sizes = [self.config.num_shape, self.config.num_expression]
        shape_basis, expression_basis = self.directions.split(sizes, dim=2)
        at_rest = self.template + _blend(shape_basis, shape) + _blend(expression_basis, expression)  # (B, V, 3)
        joints = self.joint_regressor @ at_rest  # (B, 5, 3)
        rotations = axis_angle_to_matrix(full_pose(pose))  # (B, 5, 3, 3)
        pose_features = (rotations[:, 1:] - torch.eye(3).to(rotations)).flatten(1)  # (B, 36)
        vertices = at_rest + _blend(self.pose_directions, pose_features)
        parents = self.kinematic_tree[0].tolist()
        return skin(vertices, joints, rotations, self.skinning_weights, parents)


def _blend(directions: Tensor, coefficients: Tensor) -> Tensor:
    return torch.einsum("vcn,bn->bvc", directions[..., : coefficients.shape[1]], coefficients)


def yaw_degrees(pose: Tensor) -> Tensor:
    """Compute how far the head is turned about the vertical.

    Args:
        pose: Head rotation, then jaw rotation (B, 6), each axis-angle in radians.

    Returns:
        Yaw (B,) int64 in whole degrees.
    """
    rotation = axis_angle_to_matrix(pose[:, :3])
    cosine = rotation[:, :2, 0].norm(dim=1)
    return torch.rad2deg(torch.atan2(-rotation[:, 2, 0], cosine)).round().long()


def contour_row(yaw: Tensor, largest_yaw: int) -> Tensor:
    """Find the row of the jaw line's table for a yaw: first 0 to largest_yaw degrees, then -1 to -largest_yaw.

    Args:
        yaw: Yaw (B,) int64 in degrees; beyond the largest yaw the last row of its side is used.
        largest_yaw: Largest yaw in the table, in degrees.

    Returns:
        Rows (B,) int64.
    """
    yaw = yaw.clamp(-largest_yaw, largest_yaw)
    return torch.where(yaw < 0, largest_yaw - yaw, yaw)


def points_on_triangles(vertices: Tensor, triangles: Tensor, barycentric: Tensor) -> Tensor:
    """Compute points inside triangles.

    Args:
        vertices: Vertices (B, V, 3).
        triangles: Vertex indices of each point's triangle (N, 3) or (B, N, 3).
        barycentric: Weights of these vertices (N, 3) or (B, N, 3).

    Returns:
        Points (B, N, 3).
    """
    corners = triangles.expand(len(vertices), -1, -1)  # (B, N, 3)
    batch = torch.arange(len(vertices), device=vertices.device)[:, None, None]
    return torch.einsum("bnkc,bnk->bnc", vertices[batch, corners], barycentric.expand(len(vertices), -1, -1))


@dataclass(frozen=True, kw_only=True)
class FLAMELandmarksConfig:
    """Sizes of the landmark embedding; the defaults are those of the released file.

    Attributes:
        num_contour: Landmarks on the jaw line.
        num_inner: Landmarks inside the face.
        largest_yaw: Largest yaw in the jaw line's table, in degrees.
    """

    num_contour: int = 17
    num_inner: int = 51
    largest_yaw: int = 39


class FLAMELandmarks(nn.Module):
    """The 68 landmarks as points on FLAME's triangles (released landmark embedding).

    The jaw line seen in a picture slides over the skin as the head turns; a table lists it for each degree of yaw.

    Args:
        config: Sizes of the embedding.
    """

    contour_triangles: Tensor
    contour_barycentric: Tensor
    static_triangles: Tensor
    static_barycentric: Tensor
    full_triangles: Tensor
    full_barycentric: Tensor

    def __init__(self, config: FLAMELandmarksConfig) -> None:
        super().__init__()
        self.config = config
        sizes = {
            "contour": (2 * config.largest_yaw + 1, config.num_contour),
            "static": (config.num_inner,),
            "full": (1, config.num_contour + config.num_inner),
        }
        for name, size in sizes.items():
            self.register_buffer(f"{name}_triangles", torch.zeros(size, dtype=torch.int64))
            self.register_buffer(f"{name}_barycentric", torch.zeros(*size, 3))

    def locate_visible(self, vertices: Tensor, triangles: Tensor, pose: Tensor) -> Tensor:
        """Locate the landmarks as a viewer sees them: the jaw line follows the outline of a turned head.

        Args:
            vertices: FLAME's vertices (B, V, 3).
            triangles: FLAME's triangles (F, 3) int64.
            pose: Head rotation, then jaw rotation (B, 6), each axis-angle in radians.

        Returns:
            Landmarks (B, 68, 3) in the vertices' units, the jaw line first.
        """
        row = contour_row(yaw_degrees(pose), self.config.largest_yaw)
        static_triangles = self.static_triangles.expand(len(row), -1)
        static_barycentric = self.static_barycentric.expand(len(row), -1, -1)
        chosen = torch.cat([self.contour_triangles[row], static_triangles], dim=1)  # (B, 68)
        barycentric = torch.cat([self.contour_barycentric[row], static_barycentric], dim=1)
        return points_on_triangles(vertices, triangles[chosen], barycentric)

    def locate_fixed(self, vertices: Tensor, triangles: Tensor) -> Tensor:
        """Locate landmarks that stay at their points of the skin.

        Args:
            vertices: FLAME's vertices (B, V, 3).
            triangles: FLAME's triangles (F, 3) int64.

        Returns:
            Landmarks (B, 68, 3) in the vertices' units, the jaw line first.
        """
        return points_on_triangles(vertices, triangles[self.full_triangles], self.full_barycentric)


def project(points: Tensor, camera: Tensor) -> Tensor:
    """Project points with DECA's orthographic camera (arXiv 2012.04012, section 3): shift, then scale.

    Args:
        points: Points (B, N, 3) in FLAME's coordinates.
        camera: Scale, shift in x, shift in y (B, 3).

    Returns:
        Points (B, N, 3): x right and y down in [-1, 1] of the picture, z away from the viewer.
    """
    scale, shift = camera[:, None, :1], camera[:, None, 1:]
    moved = torch.cat([points[..., :2] + shift, points[..., 2:]], dim=-1)
    return scale * moved * torch.tensor([1.0, -1.0, -1.0]).to(points)
