"""The 52 blendshape coefficients, the language of face capture: ARKit's names; left is the subject's own left."""

import difflib

# In the order in which arrays hold them: the blendshape network's output without `_neutral`, then tongueOut.
BLENDSHAPES = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip
NUM_BLENDSHAPES = len(BLENDSHAPES)
LARGEST_BLENDSHAPE = 1.5  # 0 is rest, 1 the full movement, more an exaggeration
UNSEEN_BLENDSHAPES = ("tongueOut",)  # the tracker has no number for them: 0 unless a file gives one

# What a coefficient of 1 does; {side} stands for left or right.
_MOVEMENTS = {
    "browDown": "Lower the {side} brow",
    "browInnerUp": "Raise the inner ends of both brows",
    "browOuterUp": "Raise the outer end of the {side} brow",
    "cheekPuff": "Puff both cheeks",
    "cheekSquint": "Raise the {side} cheek",
    "eyeBlink": "Close the {side} eye",
    "eyeLookDown": "Turn the {side} eye down",
    "eyeLookIn": "Turn the {side} eye towards the nose",
    "eyeLookOut": "Turn the {side} eye away from the nose",
    "eyeLookUp": "Turn the {side} eye up",
    "eyeSquint": "Tighten the lids of the {side} eye",
    "eyeWide": "Open the {side} eye wide",
    "jawForward": "Push the jaw forward",
    "jawLeft": "Move the jaw to the left",
    "jawOpen": "Open the jaw",
    "jawRight": "Move the jaw to the right",
    "mouthClose": "Close the lips, however far the jaw is open",
    "mouthDimple": "Pull the {side} corner of the mouth back",
    "mouthFrown": "Lower the {side} corner of the mouth",
    "mouthFunnel": "Open the lips to a funnel",
    "mouthLeft": "Move the mouth to the left",
    "mouthLowerDown": "Lower the lower lip on the {side}",
    "mouthPress": "Press the lips together on the {side}",
    "mouthPucker": "Pucker the closed lips",
    "mouthRight": "Move the mouth to the right",
    "mouthRollLower": "Roll the lower lip inwards",
    "mouthRollUpper": "Roll the upper lip inwards",
    "mouthShrugLower": "Push the lower lip up and out",
    "mouthShrugUpper": "Push the upper lip up and out",
    "mouthSmile": "Raise the {side} corner of the mouth",
    "mouthStretch": "Pull the {side} corner of the mouth outwards",
    "mouthUpperUp": "Raise the upper lip on the {side}",
    "noseSneer": "Raise the {side} side of the nose",
    "tongueOut": "Put the tongue out",
}


def mirror_blendshape(name: str) -> str:
    """Name the same movement of the other side of the face.

    Args:
        name: One of `BLENDSHAPES`.

    Returns:
        The partner's name; the name itself for a movement of both sides.
    """
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


def describe_blendshape(name: str) -> str:
    """Say what a coefficient does.

    Args:
        name: One of `BLENDSHAPES`.

    Returns:
        The movement that a coefficient of 1 makes, as a command.
    """
    if name in _MOVEMENTS:
        return _MOVEMENTS[name]
    side = "Left" if name.endswith("Left") else "Right"
    return _MOVEMENTS[name.removesuffix(side)].format(side=side.lower())


def suggest_blendshapes(name: str) -> str:
    """Name the coefficients that an unknown name is near to, whatever its capitals.

    Args:
        name: The unknown name.

    Returns:
        The end of an error message.
    """
    known = {known.lower(): known for known in BLENDSHAPES}
    near = [known[match] for match in difflib.get_close_matches(name.lower(), known, n=3)]
    return f"did you mean {' or '.join(near)}?" if near else f"give one of ARKit's {NUM_BLENDSHAPES} names"
