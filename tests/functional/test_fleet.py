"""The fleet model against what can be worked out by hand."""

import pytest
from fleet import Assumptions, Load, Measured, answered_after_s, busy_s, loads, simulate

GIVEN = Assumptions(s3_call_s=0.0, start_overhead_s=0.0)
SECOND = Measured(image_s=1.0, start_s=0.0, s3_calls={"GET": 1, "HEAD": 3, "PUT": 1})


@pytest.mark.parametrize("workers", [1, 5])
def test_a_full_fleet_does_workers_over_seconds(workers: int) -> None:
    """With the first five workers there from the start: images times seconds over workers."""
    outcome = simulate(Load(images=1_000, over_s=0, workers=workers), SECOND, GIVEN)
    assert outcome.total_s == pytest.approx(1_000 / workers + 1, rel=0.01)
    assert outcome.wait_median_s == pytest.approx(500 / workers + 1, rel=0.01)
    assert outcome.wait_p95_s == pytest.approx(950 / workers + 1, rel=0.01)
    assert outcome.peak_workers == workers


def test_a_slow_stream_waits_for_nobody() -> None:
    """Two images a second keep two workers of a second busy, and no image waits."""
    outcome = simulate(Load(images=7_200, over_s=3_600, workers=100), SECOND, GIVEN)
    assert outcome.total_s == pytest.approx(3_601, abs=2)
    assert outcome.wait_p95_s < 2.1
    assert outcome.peak_workers <= 3


def test_a_queue_adds_300_workers_a_minute() -> None:
    """In the first minute an average of 5 + 150 of them; a batch job does not wait for that."""
    queue = simulate(Load(images=(5 + 150) * 60, over_s=0, workers=1_000), SECOND, GIVEN)
    assert queue.total_s == pytest.approx(61, abs=2)
    batch = simulate(Load(images=100_000, over_s=0, workers=1_000, batch=True), SECOND, GIVEN)
    assert batch.total_s == pytest.approx(10 / 2 + 100 + 1, abs=2)


def test_cost_is_of_images_and_starts_not_of_waiting() -> None:
    """One GB and one dollar a second: the bill can be read off."""
    given = Assumptions(
        memory_gb=1,
        usd_per_gb_s=1,
        usd_per_invocation=0,
        s3_call_s=0.1,
        usd_per_sqs_call=0,
        usd_per_event=0,
        usd_per_s3_write=2,
        usd_per_s3_read=1,
        usd_per_task=3,
        usd_per_job=7,
        start_overhead_s=0,
    )
    assert busy_s(SECOND, given) == pytest.approx(1.5)
    few = simulate(Load(images=100, over_s=0, workers=1), SECOND, given)
    many = simulate(Load(images=100, over_s=0, workers=5), SECOND, given)
    assert few.lambda_usd == many.lambda_usd == pytest.approx(150)
    assert few.other_usd == pytest.approx(100 * (2 + 4))
    job = simulate(Load(images=100, over_s=0, workers=5, batch=True), SECOND, given)
    assert job.other_usd == pytest.approx(100 * (2 + 4 + 3) + 7)
    started = Measured(image_s=1.0, start_s=2.0, s3_calls=SECOND.s3_calls)
    with_starts = simulate(Load(images=100, over_s=0, workers=5), started, given)
    assert with_starts.lambda_usd == pytest.approx(150 + 5 * 2)


def test_a_burst_of_requests() -> None:
    """A bucket of 20 and 10 a second: 80 wait, then 70, and so on."""
    assert answered_after_s(20, 10, 20) == (20, 0, 0)
    assert answered_after_s(100, 10, 20) == (20, 8, 80 + 70 + 60 + 50 + 40 + 30 + 20 + 10)


def test_every_load_of_the_table_ends() -> None:
    """The largest are ten million images."""
    table = list(loads())
    assert {load.images for _, load in table} >= {1_000, 100_000, 10_000_000}
    for _, load in table:
        outcome = simulate(load, SECOND, GIVEN)
        assert outcome.total_s * load.workers >= load.images
        assert outcome.peak_workers <= load.workers
