"""RecBole: LightGCN and BPR at 64 dimensions, stopped early on a tenth of each user's train by NDCG@10, its defaults otherwise.

RecBole 1.2.1 is older than NumPy 2 and PyTorch 2.6: the names it misses are put back before it is imported.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import chdir
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from scipy.sparse import dok_matrix

for name, kind in {"float_": np.float64, "complex_": np.complex128, "unicode_": np.str_}.items():
    setattr(np, name, kind)
if not hasattr(dok_matrix, "_update"):
    dok_matrix._update = lambda self, cells: [self.__setitem__(cell, value) for cell, value in cells.items()]
torch.load = partial(torch.load, weights_only=False)
for name in ("ray", "ray.tune"):  # its quick start imports a tuner that is not needed here
    sys.modules.setdefault(name, ModuleType(name))

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.data.interaction import Interaction  # noqa: E402
from recbole.utils import get_model, get_trainer, init_seed  # noqa: E402

from benchmarks.peers._peer import Rows, Table, best_of, histories, main  # noqa: E402

PLAN = {
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "load_col": {"inter": ["user_id", "item_id"]},
    "benchmark_filename": ["train", "valid", "test"],
    "eval_args": {"order": "RO", "group_by": "user", "mode": "full", "split": {"RS": [0.8, 0.1, 0.1]}},
    "metrics": ["NDCG"],
    "topk": [10],
    "valid_metric": "NDCG@10",
    "device": "cpu",
    "use_gpu": False,
    "show_progress": False,
    "log_wandb": False,
    "state": "CRITICAL",
    "reproducibility": True,
    "eval_batch_size": 409_600,
}


def learned(kind: str):
    def fit(train: Table, seed: int, **settings):
        sys.argv = sys.argv[:1]  # it reads the command line
        with tempfile.TemporaryDirectory() as folder, chdir(folder):  # it leaves logs where it runs
            _write(train, Path(folder) / "split", seed)
            config = Config(
                model=kind,
                dataset="split",
                config_dict={**PLAN, **settings, "data_path": folder, "checkpoint_dir": folder, "seed": seed},
            )
            init_seed(seed, True)
            data = create_dataset(config)
            part, valid, _ = data_preparation(config, data)
            model = get_model(kind)(config, part.dataset)
            trainer = get_trainer(config["MODEL_TYPE"], kind)(config, model)
            trainer.fit(part, valid, saved=True, show_progress=False)
            model.load_state_dict(torch.load(trainer.saved_model_file)["state_dict"])
        model.eval()
        rows = Rows.of(train)
        seen = histories(train, rows)
        place = {int(token): n for n, token in enumerate(data.field2id_token["user_id"]) if n}
        items = {int(token): n for n, token in enumerate(data.field2id_token["item_id"]) if n}
        columns = [items[item] for item in rows.items.tolist()]

        @torch.no_grad()
        def recommend(users, k):
            lists = []
            for some in np.array_split(users, max(1, len(users) // 256)):
                asked = Interaction({"user_id": torch.tensor([place[user] for user in some.tolist()])})
                scores = model.full_sort_predict(asked).reshape(len(some), -1)[:, columns].numpy()
                lists.append(best_of(scores, [seen[row] for row in rows.user(some)], k))
            best = np.vstack(lists)
            return np.where(best >= 0, rows.items[best], -1)

        return recommend

    return fit


def _write(train: Table, folder: Path, seed: int) -> None:
    """Its own files; a tenth of each user's rows is held out to stop by. The test file repeats it, since one must be there."""
    folder.mkdir()
    order = np.lexsort((np.random.default_rng(seed).random(len(train.users)), train.users))
    counts = np.unique(train.users, return_counts=True)[1]
    share = np.concatenate([np.arange(n) / n for n in counts])
    held = order[share >= 0.9]
    kept = order[share < 0.9]
    for name, rows in (("train", kept), ("valid", held), ("test", held)):
        lines = [f"{user}\t{item}" for user, item in zip(train.users[rows].tolist(), train.items[rows].tolist(), strict=True)]
        (folder / f"split.{name}.inter").write_text("\n".join(["user_id:token\titem_id:token", *lines]) + "\n")


if __name__ == "__main__":
    common = {"epochs": 100, "train_batch_size": 2048, "stopping_step": 5, "eval_step": 5, "learning_rate": 0.001, "embedding_size": 64}
    main(
        "recbole",
        lists={"lightgcn": (learned("LightGCN"), {**common, "n_layers": 3, "reg_weight": 1e-4}), "bpr": (learned("BPR"), common)},
    )
