"""The command line: reads words, calls the app, shows what comes back. It decides nothing."""
