"""What is to be said of what a camera sends: a report as JSON, and findings that a page can put into its reader's language. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from longwatch.formats.media import Codec, Kind
from longwatch.ingest.probe import ProbedTrack, ProbeReport
from longwatch.model.sessions import Fault

_LONG_GROUP_S = 10.0
_CLOCK_OFF_S = 2.0
_MUCH = 12_000_000  # bits a second
_SPEAKS_OTHERWISE = "what answers there does not speak RTSP"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. code: for programs. level: `bad` keeps it from being recorded, `warning` is worth mending, `note` worth knowing."""

    code: str
    level: Literal["bad", "warning", "note"]
    says: str
    values: dict[str, float | str] = field(default_factory=dict)


def findings(report: ProbeReport) -> list[Finding]:
    """The worst first."""
    found = list(_of_fault(report))
    video = report.tracks[0] if report.tracks else None
    if video is not None and video.samples:
        found += _of_video(video)
        found += _of_clock(report)
    found += _of_tracks(report)
    order = ("bad", "warning", "note")
    return sorted(found, key=lambda finding: order.index(finding.level))


def detail_of(report: ProbeReport) -> str:
    """Why it did not work, without a word of whoever answered that was no camera."""
    return _SPEAKS_OTHERWISE if report.fault is Fault.PROTOCOL_ERROR else report.detail


def _of_fault(report: ProbeReport) -> Iterator[Finding]:
    fault = report.fault
    if fault is None:
        return
    code = str(fault)
    if fault is Fault.REFUSED and "404" in report.detail:
        code = "path_not_found"
    elif fault is Fault.REFUSED and "certificate" in report.detail:
        code = "certificate"
    elif fault is Fault.REFUSED and "redirect" in report.detail:
        code = "redirect"
    elif fault is Fault.REFUSED and "no video" in report.detail:
        code = "no_video"
    yield Finding(code, "bad", detail_of(report), {"detail": detail_of(report)})


def _of_video(video: ProbedTrack) -> Iterator[Finding]:
    known = video.format
    if known.codec is Codec.H265:
        yield Finding(
            "h265", "note", "H.265: not every browser plays it; a sub-stream in H.264 shows live everywhere",
            {"codec": known.codec_string},
        )  # fmt: skip
    if video.gop_s is None:
        yield Finding("no_second_key", "warning", "no second key frame came while measuring: a seek will be coarse")
    elif video.gop_s >= _LONG_GROUP_S:
        yield Finding(
            "long_gop",
            "warning",
            f"{video.gop_s:.1f} s between key frames: a seek will be coarse",
            {"gop_s": video.gop_s},
        )
    if video.fps is not None and known.fps is not None and abs(video.fps - known.fps) > known.fps / 5:
        values: dict[str, float | str] = {"fps": video.fps, "announced": known.fps}
        yield Finding(
            "fps_differs", "note", f"{video.fps:g} pictures a second come, {known.fps:g} are announced", values
        )
    if known.reorder_depth:
        yield Finding("b_frames", "note", "B-frames: live pictures come later by some of them")
    if video.bits_per_second is not None and video.bits_per_second > _MUCH:
        much = video.bits_per_second / 1e6
        yield Finding(
            "high_bitrate", "note", f"{much:.0f} Mbit/s: see what it costs on disk", {"mbits": round(much, 1)}
        )


def _of_clock(report: ProbeReport) -> Iterator[Finding]:
    if report.clock_offset_s is None:
        yield Finding("no_sender_reports", "warning", "no sender reports: its times will rest on arrival alone")
    elif abs(report.clock_offset_s) > _CLOCK_OFF_S:
        off = round(report.clock_offset_s, 1)
        yield Finding("clock_off", "warning", f"its clock is off by {off:g} s: set NTP on it", {"offset_s": off})


def _of_tracks(report: ProbeReport) -> Iterator[Finding]:
    for track in report.tracks:
        if track.lost:
            share = round(100 * track.lost / (track.packets + track.lost), 2)
            values: dict[str, float | str] = {"kind": str(track.format.kind), "percent": share}
            yield Finding("packets_lost", "warning", f"{share:g} % of its {track.format.kind} packets are lost", values)
    if report.changes:
        yield Finding("parameters_changed", "note", "its parameters changed while measuring", {"times": report.changes})
    if "audio" in report.not_taken:
        yield Finding("audio_not_taken", "note", "its sound comes in a form that is not recorded")
    elif report.tracks and not any(track.format.kind is Kind.AUDIO for track in report.tracks):
        yield Finding("no_audio", "note", "it sends no sound")


def bytes_per_day(report: ProbeReport) -> int | None:
    """Of all tracks, at the rate that was measured; None where none was."""
    rates = [track.bits_per_second for track in report.tracks if track.bits_per_second is not None]
    return sum(rates) * 86_400 // 8 if rates else None


def as_json(report: ProbeReport) -> dict[str, Any]:
    """What `camera probe --json` prints."""
    return {
        "url": report.url,
        "transport": report.transport,
        "ok": report.fault is None,
        "fault": report.fault,
        "detail": report.detail,
        "server": report.server,
        "offered": list(report.offered),
        "first_picture_s": report.first_picture_s,
        "measured_s": report.measured_s,
        "clock_offset_s": report.clock_offset_s,
        "bytes_per_day": bytes_per_day(report),
        "tracks": [_track(track) for track in report.tracks],
        "problems": list(report.problems),
    }


def _track(track: ProbedTrack) -> dict[str, Any]:
    return {
        "kind": track.format.kind,
        "codec": track.format.codec,
        "codec_string": track.format.codec_string,
        "width": track.format.width or None,
        "height": track.format.height or None,
        "fps": track.fps,
        "fps_announced": track.format.fps,
        "bitrate": track.bits_per_second,
        "sample_rate": track.format.timescale if track.format.kind == "audio" else None,
        "channels": track.format.channels or None,
        "gop_s": track.gop_s,
        "b_frames": track.format.reorder_depth > 0,
        "samples": track.samples,
        "packets": track.packets,
        "lost": track.lost,
        "notes": list(track.notes),
    }
