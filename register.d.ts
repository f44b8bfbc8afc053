/** Starts a monitor for this thread, configured by `HEAPWARDEN_*`. For `--import` and `--require`; exports nothing. */
export {};
