"""How measured serving points are read: layouts, drafted tokens, the split into two parts."""
import collections
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/dev"))

from validation import launches, points, recipes  # noqa: E402
from validation.points import Config, Layout, Point  # noqa: E402

TABLE = ROOT.parent / "shared/data/serving/inferencex_moe_dev.csv"


def deepseek(layout, weights="fp4", engine="trtllm", system="b200_sxm"):
    return Config("deepseek-v3", system, engine, weights, "fp4", layout)


def check(config, concurrency, version="", day="2025-11-02", isl=1024, osl=1024):
    found = launches.launches_of(config, isl, osl, concurrency, version, day)
    return launches.checked(config, found, version)


class Launches(unittest.TestCase):
    def test_a_layout_that_was_launched_stays(self):
        config = deepseek(Layout(4, 1, 1, 4))
        found = check(config, 16, "1.2.0rc6.post2")
        self.assertEqual((found.config, found.reason), (config, ""))

    def test_a_label_without_its_expert_parallelism_gets_it_back(self):
        found = check(deepseek(Layout(8, 1, 1, 8)), 64)
        self.assertEqual(found.config.layout, Layout(8, 1, 8, 1))
        self.assertEqual(found.version, "1.1.0rc2.post2")

    def test_a_label_without_its_attention_dp_gets_it_back(self):
        found = check(deepseek(Layout(4, 1, 1, 4)), 256)
        self.assertEqual(found.config.layout, Layout(1, 4, 4, 1))

    def test_what_was_launched_with_drafting_alone_is_left_out(self):
        found = check(deepseek(Layout(4, 1, 4, 1)), 16, "1.1.0rc2.post2", "2026-01-20")
        self.assertIn("drafted", found.reason)

    def test_what_was_launched_both_ways_may_draft(self):
        found = check(deepseek(Layout(4, 1, 4, 1)), 64, "1.1.0rc2.post2", "2026-01-20")
        self.assertEqual((found.reason, found.may_draft), ("", True))

    def test_rows_of_another_source_are_left_alone(self):
        config = Config("qwen3-235b-a22b", "h100_sxm", "trtllm", "fp8_block", "fp8_block",
                        Layout(4, 1, 4, 1))
        self.assertEqual(check(config, 16, "1.0.0rc3", "").config, config)


class Recipes(unittest.TestCase):
    def test_versions_are_compared_by_their_numbers(self):
        self.assertTrue(recipes.at_least("1.10.0", 1, 2))
        self.assertTrue(recipes.at_least("1.2.0rc6.post2", 1, 2))
        self.assertFalse(recipes.at_least("1.1.0rc2.post2", 1, 2))
        self.assertFalse(recipes.at_least("", 1, 2))

    def test_every_value_is_a_key_of_the_program(self):
        schema = (ROOT / "scenarios/moesim.schema.json").read_text()
        for engine in recipes.ENGINES:
            for weights in ("fp4", "fp8_block", "int4"):
                config = deepseek(Layout(1, 4, 4, 1), weights, engine)
                point = Point(config, 1024, 1024, 64, 1.0, 1.0, "1.2.0")
                for key in (*recipes.settings(point), *recipes.formats(point)):
                    self.assertIn(f'"{key}"', schema)


class Points(unittest.TestCase):
    def test_three_spellings_of_a_layout_are_one(self):
        eight = Layout(8, 1, 8, 1)
        self.assertEqual(points.layout_of(64, 1, 8, 8), eight)
        self.assertEqual(points.layout_of(8, 1, 1, 8), eight)

    def test_a_row_that_may_draft_is_left_out_of_a_run_with_a_slower_plain_one(self):
        config = deepseek(Layout(4, 1, 4, 1))

        def row(name, tpot):
            return {"id": name, "silicon_tpot_ms": str(tpot)}
        groups = {(config, 1024, 1024, 64, "1.1"): [row("plain", 22), row("fast", 17)],
                  (config, 8192, 1024, 64, "1.1"): [row("alone", 25)]}
        self.assertEqual(points.faster_than_plain(groups, {"fast", "alone"}), {"fast", "alone"})
        groups[config, 1024, 1024, 64, "1.1"] = [row("plain", 22), row("fast", 21)]
        self.assertEqual(points.faster_than_plain(groups, {"fast", "alone"}), set())

    @unittest.skipUnless(TABLE.exists(), "the measured table is not beside this checkout")
    def test_points_are_each_once_and_a_configuration_is_in_one_part(self):
        read, _ = points.read_points(TABLE)
        self.assertGreater(len(read), 600)
        self.assertEqual(max(collections.Counter(map(str, read)).values()), 1)
        parts = collections.defaultdict(set)
        for p in read:
            parts[p.config].add(p.config.held_out)
        self.assertEqual({len(part) for part in parts.values()}, {1})

    @unittest.skipUnless(TABLE.exists(), "the measured table is not beside this checkout")
    def test_no_row_of_the_training_part_as_published_is_held_out(self):
        for row in points.read_rows(TABLE):
            config, reason = points.config_of(row) if row["mode"] == "agg" else (None, "pools")
            if reason or config.held_out:
                continue
            found = points.corrected(config, int(row["isl"]), int(row["osl"]),
                                     points.number(row["concurrency"]), row)
            self.assertTrue(found.reason or not found.config.held_out)


if __name__ == "__main__":
    unittest.main()
