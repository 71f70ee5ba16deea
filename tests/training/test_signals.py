import signal

import pytest

from fadm.training.signals import stop_signals

STOPPING = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_noted_and_a_second_interrupt_does_not_wait(number):
    before = [signal.getsignal(n) for n in STOPPING]
    with stop_signals() as is_asked_to_stop:
        assert not is_asked_to_stop()
        signal.raise_signal(number)
        assert is_asked_to_stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(n) for n in STOPPING] == before


@pytest.mark.parametrize("number", STOPPING)
def test_what_was_ignored_stays_ignored(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with stop_signals() as is_asked_to_stop:
            signal.raise_signal(number)
            assert not is_asked_to_stop()
            for other in STOPPING:
                if other != number:
                    signal.raise_signal(other)
                    break
            assert is_asked_to_stop()
    finally:
        signal.signal(number, before)
