"""Deinterlacing: each interlaced frame becomes one progressive frame at its own time."""

from collections import deque
from collections.abc import Iterable, Iterator

import av
from av.filter import Graph
from av.video.frame import VideoFrame

# Frames that are not marked as interlaced pass unchanged; the order of the fields is the frame's own.
_FILTER, _ARGUMENTS = "bwdif", "mode=send_frame:parity=auto:deint=interlaced"


def deinterlace(frames: Iterable[VideoFrame | None]) -> Iterator[VideoFrame | None]:
    """Deinterlace the frames that are marked as interlaced; a video without any passes untouched.

    Args:
        frames: Decoded frames in the order of display, None for a damaged one.

    Yields:
        As many frames, with the same times.
    """
    graph: _DeinterlacingGraph | None = None
    for frame in frames:
        if frame is None:
            yield None
            continue
        if graph is not None and not graph.fits(frame):
            yield from graph.finish()
            graph = None
        if graph is None and frame.interlaced_frame:
            graph = _DeinterlacingGraph(frame)
        if graph is None:
            yield frame
        else:
            yield from graph.filter(frame)
    if graph is not None:
        yield from graph.finish()


class _DeinterlacingGraph:
    """A filter for frames of one size and format; it keeps one frame back, to see the next one's fields.

    Args:
        template: The first frame.
    """

    def __init__(self, template: VideoFrame) -> None:
        self._kind = _kind_of(template)
        self._graph = Graph()
        # The times of the frames are kept outside; their unit here does not matter.
        source = self._graph.add_buffer(
            width=template.width, height=template.height, format=template.format, time_base=template.time_base
        )
        self._graph.link_nodes(source, self._graph.add(_FILTER, _ARGUMENTS), self._graph.add("buffersink")).configure()
        self._times: deque[int | None] = deque()

    def fits(self, frame: VideoFrame) -> bool:
        """Tell whether a frame has the size and format of the first one."""
        return _kind_of(frame) == self._kind

    def filter(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Filter one frame; the one before comes out."""
        self._times.append(frame.pts)
        self._graph.vpush(frame)
        yield from self._pull()

    def finish(self) -> Iterator[VideoFrame]:
        """Filter what is kept back."""
        self._graph.vpush(None)
        yield from self._pull()

    def _pull(self) -> Iterator[VideoFrame]:
        while self._times:
            try:
                frame = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            frame.pts = self._times.popleft()
            yield frame


def _kind_of(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name
