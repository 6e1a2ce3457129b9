"""Metrics of a peer, run by the Python that has it.

Prints JSON: for each metric its value, or the error, and the CPU seconds of a call.
Those that take longer than the limit at 1/10 of the rows are left out by the caller.
Metrics have the names and the settings of benchmarks/metrics.py.

Run: python benchmarks/metric_peers.py PEER ROWS.npz METRIC ...
"""

import argparse
import importlib.util
import json
import sys
import time
import types
import warnings
from functools import partial
from pathlib import Path

import numpy as np

BUFFER = 100


def without_init(name):
    """Let the parts of a package be imported without all that it imports itself."""
    package = types.ModuleType(name)
    found = importlib.util.find_spec(name)
    package.__path__ = [str(Path(found.origin).parent)]
    sys.modules[name] = package


def metrics_of_prts():
    """Find the range-based metrics of prts."""
    from prts import ts_fscore, ts_precision, ts_recall

    options = {"cardinality": "reciprocal"}
    return {
        "range_precision": partial(ts_precision, **options),
        "range_recall": partial(ts_recall, **options),
        "range_recall front": partial(ts_recall, bias="front", **options),
        "range_recall middle": partial(ts_recall, bias="middle", **options),
        "range_recall back": partial(ts_recall, bias="back", **options),
        "range_f1": partial(ts_fscore, r_alpha=0.2, **options),
    }


def metrics_of_aeon():
    """Find the range-based metrics, R-AUC and VUS of aeon."""
    import aeon.benchmarking.metrics.anomaly_detection as aeon

    return {
        "range_precision": aeon.range_precision,
        "range_recall": aeon.range_recall,
        "range_recall front": partial(aeon.range_recall, bias="front"),
        "range_recall middle": partial(aeon.range_recall, bias="middle"),
        "range_recall back": partial(aeon.range_recall, bias="back"),
        "range_f1": partial(aeon.range_f_score, r_alpha=0.2),
        "range_auc_pr": partial(aeon.range_pr_auc_score, buffer_size=BUFFER),
        "range_auc_roc": partial(aeon.range_roc_auc_score, buffer_size=BUFFER),
        "vus_pr": partial(aeon.range_pr_vus_score, max_buffer_size=BUFFER),
        "vus_roc": partial(aeon.range_roc_vus_score, max_buffer_size=BUFFER),
    }


def metrics_of_dtaianomaly():
    """Find those of dtaianomaly."""
    from dtaianomaly import evaluation as dtai

    recalls = {
        f"range_recall {bias}": dtai.RangeBasedRecall(alpha=0.0, delta=bias)
        for bias in ("front", "middle", "back")
    }
    found = recalls | {
        "range_precision": dtai.RangeBasedPrecision(),
        "range_recall": dtai.RangeBasedRecall(alpha=0.0),
        "range_f1": dtai.RangeBasedFBeta(alpha=0.2),
        "affiliation_precision": dtai.AffiliationPrecision(),
        "affiliation_recall": dtai.AffiliationRecall(),
        "affiliation_f1": dtai.AffiliationFBeta(),
        "range_auc_pr": dtai.RangeAreaUnderPR(buffer_size=BUFFER),
        "range_auc_roc": dtai.RangeAreaUnderROC(buffer_size=BUFFER),
        "vus_pr": dtai.VolumeUnderPR(max_buffer_size=BUFFER),
        "vus_roc": dtai.VolumeUnderROC(max_buffer_size=BUFFER),
        "point_adjusted_f1": dtai.PointAdjustedFBeta(),
    }
    return {name: metric.compute for name, metric in found.items()}


def metrics_of_tsb_ad():
    """Find those of the leaderboard TSB-AD, by the authors of VUS."""
    without_init("TSB_AD")
    from TSB_AD.evaluation.basic_metrics import basic_metricor, generate_curve

    def volumes(truth, scores, place, buffer=BUFFER):
        return generate_curve(truth.astype(int), scores, buffer, "opt", 250)[place]

    def areas(truth, scores, place):
        # its RangeAUC divides by zero; a volume is the mean of the areas
        shorter = volumes(truth, scores, place, BUFFER - 1)
        return (BUFFER + 1) * volumes(truth, scores, place) - BUFFER * shorter

    def judged(name):
        metric = getattr(basic_metricor(), name)
        return lambda truth, flags: metric(truth, flags.astype(float), preds=flags)

    return {
        "range_f1": judged("metric_RF1"),
        "affiliation_f1": judged("metric_Affiliation"),
        "point_adjusted_f1": judged("metric_PointF1PA"),
        "best_f1": basic_metricor().metric_PointF1,
        "range_auc_pr": partial(areas, place=7),
        "range_auc_roc": partial(areas, place=6),
        "vus_pr": partial(volumes, place=7),
        "vus_roc": partial(volumes, place=6),
    }


def metrics_of_vus():
    """Find the first code of R-AUC and that of affiliation, which vus has."""
    without_init("vus")
    from vus.affiliation.generics import convert_vector_to_events
    from vus.affiliation.metrics import pr_from_events
    from vus.utils.metrics import metricor

    def affiliation(truth, flags, name):
        events = convert_vector_to_events(flags), convert_vector_to_events(truth)
        return pr_from_events(*events, (0, len(truth)))[name]

    def areas(truth, scores, place):
        found = metricor().RangeAUC(truth, scores, window=BUFFER, plot_ROC=True)
        return found[place]

    return {
        "range_auc_pr": partial(areas, place=1),
        "range_auc_roc": partial(areas, place=0),
        "affiliation_precision": partial(affiliation, name="Affiliation_Precision"),
        "affiliation_recall": partial(affiliation, name="Affiliation_Recall"),
    }


PEERS = {
    "prts": metrics_of_prts,
    "aeon": metrics_of_aeon,
    "dtaianomaly": metrics_of_dtaianomaly,
    "TSB-AD": metrics_of_tsb_ad,
    "vus": metrics_of_vus,
}
OF_SCORES = ("range_auc_pr", "range_auc_roc", "vus_pr", "vus_roc", "best_f1")


def main(peer, path, names):
    """Compute the metrics and print them."""
    warnings.simplefilter("ignore")
    rows = np.load(path)
    found = {}
    known = PEERS[peer]()
    for name in names or known:
        given = rows["scores"] if name in OF_SCORES else rows["flags"]
        start = time.process_time()
        try:
            value = float(known[name](rows["truth"], given))
        except Exception as error:
            value = f"{type(error).__name__}: {error}"
        found[name] = [value, time.process_time() - start]
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("path")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    main(arguments.peer, arguments.path, arguments.names)
