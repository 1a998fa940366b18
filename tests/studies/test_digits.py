"""The small digits."""

from rvae_lite.studies import digits


def test_only_the_quick_profile_of_the_digits_is_small(monkeypatch):
    seen = []
    fake = dict(reproducibility=lambda setup, template: seen.append(setup.replicas))
    monkeypatch.setattr(digits, "PROTOCOLS", fake)
    for profile in digits.study.profiles:
        digits.study.run(profile, ("reproducibility", 0))
    assert seen == [5, 10, 10]
