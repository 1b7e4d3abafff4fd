complete --keep-order --exclusive --command corti-auth --arguments "(CORTI_AUTH_COMPLETE=fish corti-auth -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
