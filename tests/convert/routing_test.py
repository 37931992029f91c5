"""Each engine's layout in small, and what moesim must get from it."""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "convert" / "routing.py"


class Layouts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def file(self, name, content):
        path = pathlib.Path(self.folder.name) / name
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        path.write_bytes(content)
        return str(path)

    def convert(self, *arguments):
        done = subprocess.run([sys.executable, str(TOOL), *arguments], capture_output=True,
                              text=True)
        return done.returncode, done.stdout.splitlines(), done.stderr

    def test_sglang_stat_counts_are_loads(self):
        path = self.file("a.json", {"logical_count": [[[1, 0, 3], [2, 2, 0]]]})
        code, rows, _ = self.convert("sglang-stat", path)
        self.assertEqual(code, 0)
        self.assertEqual(rows, ["step,layer,expert,count", "0,0,0,1", "0,0,2,3", "0,1,0,2",
                                "0,1,1,2"])

    def test_sglang_pass_adds_up_replicas(self):
        path = self.file("a.json", {
            "records": [{"forward_pass_id": 7, "rank": 0, "global_physical_count": [[1, 2, 4]]}],
            "last_physical_to_logical_map": [[0, 1, 0]]})
        self.assertEqual(self.convert("sglang-pass", path)[1][1:], ["7,0,0,5", "7,0,1,2"])

    def test_sglang_token_names_requests_and_positions(self):
        path = self.file("a.json", {"records": [{
            "forward_pass_id": 1, "rank": 2, "rids": ["x", "y"], "extend_seq_lens": [2, 1],
            "positions": [0, 1, 5],
            "topk_ids_of_layer": [[[3, 1], [0, 2], [2, 1]]]}]})
        code, rows, says = self.convert("sglang-token", path)
        self.assertEqual((code, says), (0, ""))
        self.assertEqual(json.loads(rows[0]), {"layer": 0, "source": 2, "experts": [1, 3],
                                               "request": "x", "position": 0})
        self.assertEqual(json.loads(rows[2])["request"], "y")
        self.assertEqual(json.loads(rows[2])["position"], 5)

    def test_vllm_routed_experts_are_tokens(self):
        path = self.file("a.json", [{"request_id": "r", "routed_experts": [[[1, 0], [2, 3]]]}])
        rows = [json.loads(r) for r in self.convert("vllm-routed", path)[1]]
        self.assertEqual([r["layer"] for r in rows], [0, 1])
        self.assertEqual(rows[0]["experts"], [0, 1])
        self.assertEqual(rows[0]["request"], rows[1]["request"])

    def test_vllm_eplb_from_an_array_file(self):
        head = b"{'descr': '<i4', 'fortran_order': False, 'shape': (1, 1, 2), }"
        head += b" " * (118 - len(head))
        data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head
        path = self.file("a.npy", data + struct.pack("<2i", 4, 6))
        self.assertEqual(self.convert("vllm-eplb", path)[1][1:], ["0,0,0,4", "0,0,1,6"])

    def test_ascend_maps_become_slots(self):
        path = self.file("a.json", {"moe_layer_count": 1, "layer_list": [
            {"layer_id": 0, "device_count": 2, "device_list": [
                {"device_id": 1, "device_expert": [2, 0]},
                {"device_id": 0, "device_expert": [0, 1]}]}]})
        rows = self.convert("ascend-map", path)[1]
        self.assertEqual(json.loads(rows[0]), {"physical_to_logical_map": [[0, 1, 2, 0]]})

    def test_trtllm_ranks_add_up(self):
        def tensors(*values):
            head = json.dumps({"4_3": {"dtype": "I32", "shape": [2], "data_offsets": [0, 8]}})
            return struct.pack("<Q", len(head)) + head.encode() + struct.pack("<2i", *values)
        a = self.file("rank0.safetensors", tensors(1, 2))
        b = self.file("rank1.safetensors", tensors(3, 0))
        self.assertEqual(self.convert("trtllm-stat", a, b)[1][1:], ["4,0,0,4", "4,0,1,2"])

    def test_wrong_files_are_refused_and_nothing_is_written(self):
        for layout, content in (("sglang-stat", {"count": []}),
                                ("sglang-stat", {"logical_count": [[[1, -2]]]}),
                                ("sglang-stat", {"logical_count": [[[1, 2], [3]]]}),
                                ("sglang-stat", b"\x1f\x8b\x08\x00"),
                                ("sglang-stat", b'{"logical_count": [[[1, 2'),
                                ("sglang-pass", {"records": [{"forward_pass_id": 1,
                                                 "global_physical_count": [[1]]}]}),
                                ("vllm-routed", [[1, 2]]),
                                ("ascend-map", {"layer_list": [{}]})):
            with self.subTest(layout=layout, content=content):
                code, rows, says = self.convert(layout, self.file("bad", content))
                self.assertEqual((code, rows), (2, []))
                self.assertIn("error:", says)


if __name__ == "__main__":
    unittest.main()
