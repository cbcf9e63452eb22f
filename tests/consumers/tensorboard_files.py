"""Reads event files with the tensorboard package: scalars, histograms and the HParams plug-in."""

import sys
from pathlib import Path

from tensorboard.backend.event_processing import plugin_event_multiplexer as multiplexer_module
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

root, cells, repeats, epochs = Path(sys.argv[1]), *map(int, sys.argv[2:5])
runs = sorted(path.parent for path in root.rglob("*tfevents*"))
trials = [run for run in runs if run.name.startswith("repeat-")]
assert len(trials) == cells * repeats, len(trials)

# The plain reader: every record's checksum, every scalar of a curve, every histogram of a cell.
for run in trials:
    events = EventAccumulator(str(run)).Reload()
    tags = events.Tags()["scalars"]
    assert "epoch/train-loss" in tags and "metric/test-accuracy" in tags, tags
    assert [event.step for event in events.Scalars("epoch/train-loss")] == list(range(1, epochs + 1))
for cell in {run.parent for run in trials}:
    events = EventAccumulator(str(cell)).Reload()
    (histogram,) = events.Histograms("trials/test-accuracy")
    value = histogram.histogram_value
    assert value.num == repeats and sum(value.bucket) == repeats, value
    own = [EventAccumulator(str(run)).Reload().Scalars("metric/test-accuracy")[0].value
           for run in trials if run.parent == cell]
    assert abs(value.sum - sum(own)) < 1e-5, (value.sum, own)

# What the web page uses: the HParams plug-in finds one group a cell and the mean of its sessions.
multiplexer = multiplexer_module.EventMultiplexer().AddRunsFromDirectory(str(root)).Reload()
provider = MultiplexerDataProvider(multiplexer, str(root))
context = base_plugin.TBContext(data_provider=provider)
backend = backend_context.Context(context)
request_context = None
try:
    from tensorboard.context import RequestContext
    request_context = RequestContext()
except ImportError:
    pass
experiment = backend.experiment_from_metadata(
    request_context, "", True, backend.hparams_metadata(request_context, ""),
    backend.hparams_from_data_provider(request_context, "", 1000),
)
names = {info.name for info in experiment.hparam_infos}
assert names == {"augment.rotation", "augment.shift"}, names
assert {len(info.domain_discrete.values) for info in experiment.hparam_infos} == {2, 3}
tags = {info.name.tag for info in experiment.metric_infos}
assert "metric/test-accuracy" in tags, tags
request = api_pb2.ListSessionGroupsRequest(
    start_index=0, slice_size=1000, aggregation_type=api_pb2.AGGREGATION_AVG,
    allowed_statuses=[api_pb2.STATUS_SUCCESS])
request.col_params.add(metric=api_pb2.MetricName(tag="metric/test-accuracy"))
handler = list_session_groups.Handler(request_context, backend, "", request)
groups = handler.run().session_groups
assert len(groups) == cells, len(groups)
assert all(len(group.sessions) == repeats for group in groups)
assert all(group.metric_values for group in groups)
print("tensorboard: ok")
