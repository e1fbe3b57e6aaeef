"""Starting, finding and stopping the embedded cloud; the only place that knows `local_cloud` exists."""
