"""What is planned, and what of it is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli import exit_codes
from cli.embedded.daemon import PROJECT_DIR
from cli.errors import CommandError
from cli.plan import request
from turbine.domain.capacity.model import WORK_CPU_HOURS

PRICES = """
as_of: 2026-12
currency: USD
source: our contract
usd_per_hour:
  p4d.24xlarge: {on_demand: [10, 12], spot: [3, 4]}
  p5.48xlarge: {on_demand: 50}
"""


def typed(*arguments: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "cli", "plan", "--json", "--greedy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_DIR, check=False)
    return done.returncode, json.loads(done.stdout)


def test_the_teams_are_those_of_the_folder_with_their_own_work(tmp_path: Path) -> None:
    text = (PROJECT_DIR / "config/teams/vision.yaml").read_text()
    (tmp_path / "vision.yaml").write_text(text + "work_cpu_hours: 40\n")
    (tmp_path / "winery.yaml").write_text(text.replace("vision", "winery"))
    works = {one.team: one.work_cpu_hours for one in request.team_works(tmp_path, None, None)}
    assert works == {"vision": 40, "winery": WORK_CPU_HOURS}
    assert {one.work_cpu_hours for one in request.team_works(tmp_path, None, 7)} == {7}


def test_a_faulty_team_file_is_named_with_its_field(tmp_path: Path) -> None:
    (tmp_path / "vision.yaml").write_text("team: vision\n")
    with pytest.raises(CommandError) as caught:
        request.team_works(tmp_path, None, None)
    assert caught.value.place == str(tmp_path / "vision.yaml")
    assert "recipe" in caught.value.cause


def test_a_folder_without_teams_and_no_teams_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no team file"):
        request.team_works(tmp_path, None, None)
    with pytest.raises(CommandError, match="0 teams have no runs"):
        request.team_works(tmp_path, 0, None)


def test_prices_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES)
    price, source = request.price_of("p4d.24xlarge", file)
    assert (price.low_usd, price.high_usd, price.spot_low_usd, source) == (10, 12, 3, "our contract, 2026-12")
    price, _ = request.price_of("p5.48xlarge", file)
    assert (price.low_usd, price.high_usd, price.spot_low_usd) == (50, 50, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "cannot be read"),
        ("{}", "tells no price of 'p4d.24xlarge'"),
        (PRICES.replace("USD", "EUR"), "prices are reckoned in USD"),
        (PRICES.replace("[10, 12]", "[12, 10]"), "tells no price"),
        (PRICES.replace("[10, 12]", "cheap"), "tells no price"),
    ],
)
def test_prices_that_are_none_are_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(CommandError, match=says) as caught:
        request.price_of("p4d.24xlarge", file)
    assert str(file) in str(caught.value.place)


@pytest.mark.parametrize(
    ("arguments", "cause", "mend"),
    [
        (["--work-cpu-hours", "-3"], "is not above 0", "state its work"),
        (["--efficiency", "0.5"], "not above 0.5", "0.95"),
        (["--objective", "within", "--within", "0.1"], "0.34 h is the least", "allow --within 0.35"),
        (["--objective", "speed"], "is no objective", "makespan, mean, within, cost"),
        (["--instance-type", "p9.48xlarge"], "no price is known", "--prices FILE"),
        (["--vms", "0"], "--vms", "--help"),
        (["--teams", "4", "--apply"], "have no files", "leave --teams out"),
        (["--plan", "best"], "no plan 'best'", "staggered"),
    ],
)
def test_bad_input_is_one_message_with_the_smallest_change(arguments: list[str], cause: str, mend: str) -> None:
    code, told = typed(*arguments)
    assert code == exit_codes.REFUSED
    assert cause in told["error"]["cause"]
    assert mend in told["error"]["next"]


def test_the_command_plans_and_writes_its_pictures(tmp_path: Path) -> None:
    svg, html = tmp_path / "plan.svg", tmp_path / "plan.html"
    code, told = typed("--teams", "2", "--runs-per-team", "1", "--svg", str(svg), "--html", str(html))
    assert (code, told["runs"], told["recommended"]) == (0, 2, "makespan")
    assert svg.read_text().startswith("<svg ") and "2 runs on 7 VMs" in html.read_text()
    code, told = typed("--svg", str(tmp_path / "no" / "plan.svg"))
    assert (code, "cannot be written" in told["error"]["cause"]) == (exit_codes.REFUSED, True)
