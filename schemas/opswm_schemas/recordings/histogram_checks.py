"""What histogram rows must obey: one kind of buckets, finite, growing, as many as the bounds need."""

import polars as pl

from opswm_schemas.recordings.row_checks import RowCheck


def histogram_checks(frame: pl.DataFrame) -> list[RowCheck]:
    """Return the checks of number against histogram, and those inside histograms where the frame has any.

    Args:
        frame: The metrics table.
    """
    value, bounds, counts = pl.col("value"), pl.col("upper_bounds"), pl.col("counts")
    scale, zero_count = pl.col("histogram_scale"), pl.col("zero_count")
    classic, native = bounds.is_not_null(), scale.is_not_null()
    checks = [
        RowCheck(
            "value",
            value.is_null() & ~classic & ~native,
            "channel {channel_id} at {event_at} has neither a value nor a histogram",
            "leave out the row where nothing was measured",
        )
    ]
    if all(frame[name].null_count() == frame.height for name in ("upper_bounds", "counts", "histogram_scale")):
        return checks
    place = "channel {channel_id} at {event_at}"
    return [
        *checks,
        RowCheck(
            "counts",
            (value.is_not_null() | (classic & native)) & (classic | native),
            f"{place} is several of a value, a classic and a native histogram",
            "write a row for each reading, of one kind",
        ),
        RowCheck(
            "counts",
            counts.is_not_null() & ~classic & ~native,
            f"{place} has counts without bounds or scale",
            "add 'upper_bounds' (classic) or 'histogram_scale' (native)",
        ),
        RowCheck(
            "counts",
            (classic | native) & counts.is_null(),
            f"{place} is a histogram without counts",
            "add 'counts'",
        ),
        RowCheck(
            "counts",
            classic & (counts.list.len() != bounds.list.len() + 1),
            f"{place} must have one cumulative count for each bound and one for the infinite bucket",
            "add the count of the infinite bucket",
        ),
        RowCheck(
            "upper_bounds",
            ~_finite(bounds) | (bounds.list.diff(null_behavior="drop").list.min() <= 0) | (bounds.list.len() == 0),
            f"{place} has upper bounds {{upper_bounds}}, which are not finite and increasing",
            "leave the infinite bound out, it is implied, and order the others",
        ),
        RowCheck(
            "counts",
            ~_finite(counts) | (counts.list.min() < 0),
            f"{place} has counts {{counts}}, which are not all finite and at least 0",
            "write the counts as the source has them",
        ),
        RowCheck(
            "counts",
            classic & (counts.list.diff(null_behavior="drop").list.min() < 0),
            f"{place} has counts {{counts}}, which are not cumulative",
            "sum the buckets up from the lowest bound",
        ),
        RowCheck(
            "histogram_scale",
            ~scale.is_between(-10, 20),
            f"{place} has scale {{histogram_scale}}",
            "an exponential histogram has a scale of -10 to 20",
        ),
        RowCheck(
            "zero_count",
            ~zero_count.is_finite() | (zero_count < 0),
            f"{place} has zero_count {{zero_count}}",
            "write a count of at least 0",
        ),
    ]


def _finite(values: pl.Expr) -> pl.Expr:
    return values.list.eval(pl.element().is_finite().fill_null(False)).list.all()
