
set edit:completion:arg-completer[corti-auth] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) CORTI_AUTH_COMPLETE="elvish" corti-auth -- $@words) | to-lines
}
