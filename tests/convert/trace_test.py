"""Each layout's first lines, and what moesim must get from them."""

import json
import pathlib
import subprocess
import sys
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "convert" / "trace.py"


def convert(layout, text, *arguments):
    done = subprocess.run([sys.executable, str(TOOL), layout, "-", *arguments], input=text,
                          capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines(), done.stderr


class Layouts(unittest.TestCase):
    def test_azure_times_are_differences_whatever_their_format(self):
        head = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        for a, b in (("2023-11-16 18:15:46.6805900", "2023-11-16 18:15:50.9951690"),
                     ("2024-05-10 23:59:59.680590+00:00", "2024-05-11 00:00:03.995169+00:00")):
            code, rows, _ = convert("azure", f"{head}{b},396,109\n{a},374,44\n")
            self.assertEqual(code, 0)
            self.assertEqual(rows, ["arrival_s,input_tokens,output_tokens", "0.000000,374,44",
                                    "4.314579,396,109"])

    def test_mooncake_has_milliseconds_and_prefixes(self):
        code, rows, says = convert(
            "mooncake",
            '{"timestamp": 500, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}\n'
            '{"timestamp": 3052, "input_length": 7322, "output_length": 490, "hash_ids": [0, 3]}\n')
        self.assertEqual(code, 0)
        self.assertEqual(rows, ["arrival_s,input_tokens,output_tokens,prefix",
                                "0.000000,6758,500,1", "2.552000,7322,490,1"])
        self.assertIn("0.250 of the prompt blocks", says)

    def test_burstgpt_models_are_tenants_and_failures_are_counted(self):
        code, rows, says = convert(
            "burstgpt", "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
            "5,ChatGPT,472,18,490,Conversation log\n45,\"GPT,4\",1087,230,1317,API log\n"
            "50,GPT-4,100,0,100,API log\n")
        self.assertEqual(code, 0)
        self.assertEqual(rows, ["arrival_s,input_tokens,output_tokens,tenant",
                                "0.000000,472,18,ChatGPT", '40.000000,1087,230,"GPT,4"'])
        self.assertIn("1 without answer left out", says)

    def test_vllm_uses_send_times_where_saved(self):
        result = {"duration": 9, "input_lens": [10, 20, 30], "output_lens": [1, 2, 3],
                  "start_times": [100.5, 101.0, 101.25], "errors": ["", "refused", ""]}
        code, rows, says = convert("vllm", json.dumps(result, indent=1))
        self.assertEqual(code, 0)
        self.assertEqual(rows[1:], ["0.000000,10,1", "0.750000,30,3"])
        self.assertIn("1 without answer", says)

    def test_sglang_without_send_times_needs_a_rate(self):
        run = {"input_lens": [10, 20], "output_lens": [1, 2]}
        text = json.dumps({"input_lens": [9], "output_lens": [9]}) + "\n" + json.dumps(run) + "\n"
        code, _, says = convert("sglang", text)
        self.assertEqual(code, 2)
        self.assertIn("--rate", says)
        code, rows, _ = convert("sglang", text, "--rate", "4")
        self.assertEqual(rows[1:], ["0.000000,10,1", "0.250000,20,2"])
        code, rows, _ = convert("sglang", text, "--rate", "4", "--run", "0")
        self.assertEqual(rows[1:], ["0.000000,9,9"])

    def test_wrong_input_exits_2_with_its_line_and_no_stack_trace(self):
        cases = [("azure", ""), ("azure", "a,b\n1,2\n"),
                 ("azure", "TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n"),
                 ("mooncake", "not json\n"), ("mooncake", "[1]\n"), ("mooncake", '{"a": 1}\n'),
                 ("burstgpt", "Timestamp,Model,Request tokens,Response tokens\nx,m,1,1\n"),
                 ("vllm", "{"), ("vllm", "[]"), ("vllm", '{"duration": 1}'), ("sglang", "")]
        for layout, text in cases:
            with self.subTest(layout=layout, text=text):
                code, rows, says = convert(layout, text)
                self.assertEqual(code, 2)
                self.assertEqual(rows, [])
                self.assertNotIn("Traceback", says)


if __name__ == "__main__":
    unittest.main()
