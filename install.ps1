<#
.SYNOPSIS
Installs corti-auth from a release: downloads the archive for this machine, checks it and puts the program into a folder.

.DESCRIPTION
For Windows PowerShell 5.1 and PowerShell 7 on Windows. Needs no administrator rights.
Everything is in functions, and the last line calls them: a script that is cut off in transit does nothing.

.PARAMETER Repository
The repository's URL, such as https://github.com/OWNER/NAME

.PARAMETER Version
The version, such as 0.1.0. By default this script's release, or the latest.

.PARAMETER To
The folder for the program. By default corti-auth in your Programs folder.

.PARAMETER Provenance
Verify with `gh` who built the archive: auto (if gh can), require or skip.
#>
param(
    [string]$Repository = '',
    [string]$Version = '',
    [string]$To = '',
    [ValidateSet('auto', 'require', 'skip')]
    [string]$Provenance = 'auto'
)

# Plain http only to this machine, for tests.
function Assert-Repository([string]$Url) {
    $example = '.\install.ps1 -Repository https://github.com/OWNER/NAME'
    if (-not $Url) { throw "no repository given. hint: $example" }
    $parsed = $null
    if (-not [Uri]::TryCreate($Url, [UriKind]::Absolute, [ref]$parsed)) { throw "'$Url' is not a URL. hint: $example" }
    if ($parsed.UserInfo) { throw "the repository's URL must have no user or password" }
    $local = $parsed.Scheme -eq 'http' -and $parsed.IsLoopback
    if ($parsed.Scheme -ne 'https' -and -not $local) { throw "'$Url' is not an https:// URL. hint: $example" }
}

function Get-Target {
    if ($PSVersionTable.PSVersion.Major -ge 6 -and -not $IsWindows) {
        throw 'this script is for Windows. hint: sh install.sh'
    }
    # A 32-bit PowerShell names the machine's own processor in the second variable.
    $processor = $env:PROCESSOR_ARCHITECTURE
    if ($env:PROCESSOR_ARCHITEW6432) { $processor = $env:PROCESSOR_ARCHITEW6432 }
    switch ($processor) {
        'AMD64' { return 'x86_64-pc-windows-msvc' }
        'ARM64' { return 'aarch64-pc-windows-msvc' }
    }
    throw "there is no build of corti-auth for Windows on $processor. hint: cargo install --locked --path ."
}

# Gives up after 30 s without data, after 10 minutes, and after 32 MB. Redirects are not left to .NET, which would follow one to
# plain http.
function Save-Url([string]$Url, [string]$File) {
    $from = [Uri]$Url
    $clock = [Diagnostics.Stopwatch]::StartNew()
    try {
        foreach ($hop in 0..10) {
            $request = [Net.WebRequest]::Create($from)
            $request.AllowAutoRedirect = $false
            $request.Timeout = 30000
            $request.ReadWriteTimeout = 30000
            $request.UserAgent = 'corti-auth install.ps1'
            $response = $request.GetResponse()
            try {
                if ([int]$response.StatusCode -lt 300) {
                    $written = [IO.File]::Create($File)
                    try {
                        $stream = $response.GetResponseStream()
                        $bytes = [byte[]]::new(65536)
                        do {
                            $count = $stream.Read($bytes, 0, $bytes.Length)
                            $written.Write($bytes, 0, $count)
                            if ($written.Length -gt 33554432) { throw 'it is larger than 32 MB' }
                            if ($clock.Elapsed.TotalSeconds -gt 600) { throw 'it takes longer than 10 minutes' }
                        } while ($count -gt 0)
                    } finally { $written.Dispose() }
                    return
                }
                $next = [Uri]::new($from, [string]$response.Headers['Location'])
            } finally {
                $response.Close()
            }
            if ($next.Scheme -ne $from.Scheme) { throw "it redirects to $($next.Scheme), not to $($from.Scheme)" }
            $from = $next
        }
        throw 'too many redirects'
    } catch {
        $status = 0
        for ($cause = $_.Exception; $cause; $cause = $cause.InnerException) {
            if ($cause -is [Net.WebException] -and $cause.Response) { $status = [int]$cause.Response.StatusCode }
        }
        if ($status -eq 404) { throw "$Url does not exist (404)" }
        throw "cannot download ${Url}: $($_.Exception.GetBaseException().Message)"
    }
}

# The archive of this machine and its sum, in the release's list.
function Find-Archive([string]$Sums, [string]$Version, [string]$Target) {
    $wanted = '[0-9A-Za-z.+-]+'
    if ($Version) { $wanted = [regex]::Escape($Version) }
    foreach ($line in Get-Content -LiteralPath $Sums) {
        if ($line -match "^([0-9a-f]{64}) [ *](corti-auth-($wanted)-$Target\.zip)$") {
            return @{ Sum = $Matches[1]; Name = $Matches[2]; Version = $Matches[3] }
        }
    }
    throw "this release lists no archive for $Target"
}

# The checksum comes from the same site as the archive, so it shows damage, not tampering. gh can tell who built the archive.
function Assert-Provenance([string]$File, [Uri]$Repository, [string]$Version, [string]$Mode) {
    # What a program writes to stderr is no error of PowerShell's.
    $ErrorActionPreference = 'Continue'
    $slug = $Repository.AbsolutePath.Trim('/')
    if ($Mode -eq 'skip') {
        $why = 'you chose skip'
    } elseif ($Repository.Authority -notmatch '^(github\.com|.+\.ghe\.com)$') {
        $why = "gh works only with GitHub, not with $($Repository.Authority)"
    } elseif (-not (Get-Command gh -CommandType Application -ErrorAction SilentlyContinue)) {
        $why = 'gh is not installed'
    } elseif ("$(& gh attestation verify --help 2>&1)" -notmatch 'source-ref') {
        $why = 'this gh is older than 2.68'
    } else {
        $before = $env:GH_HOST
        $env:GH_HOST = $Repository.Authority
        # The tag as well: otherwise an older release would pass for this one.
        $said = & gh attestation verify $File --repo $slug --source-ref "refs/tags/v$Version" `
            --signer-workflow "$slug/.github/workflows/release.yml" 2>&1
        $code = $LASTEXITCODE
        $env:GH_HOST = $before
        if ($code -eq 4) {
            $why = 'gh is not logged in: gh auth login'
        } elseif ($code -ne 0) {
            throw "gh cannot verify who built the archive: $said. hint: to install it all the same: .\install.ps1 -Provenance skip"
        } else {
            Write-Host "provenance verified: built by the release workflow of $slug for v$Version"
            return
        }
    }
    if ($Mode -eq 'require') { throw "cannot verify who built the archive: $why" }
    Write-Host 'checksum ok'
    Write-Host "warning: provenance not verified: $why"
    Write-Host '  (the checksum shows damage, not tampering: it comes from the same site)'
}

# Tries the program before it replaces another one. Windows lets a running program be renamed, but not deleted or replaced: the
# old one is renamed, the new one moved in its place, and the old one deleted. If it still runs, the next install deletes it.
function Install-Program([string]$Program, [string]$Folder, [string]$Version) {
    $place = Join-Path $Folder 'corti-auth.exe'
    if (Test-Path -LiteralPath $place -PathType Container) {
        throw "$place is a folder, not a program. hint: .\install.ps1 -To FOLDER"
    }
    $null = New-Item -ItemType Directory -Force -Path $Folder
    $id = [Guid]::NewGuid()
    $new = Join-Path $Folder "corti-auth.new-$id.exe"
    $old = Join-Path $Folder "corti-auth.old-$id.exe"
    try {
        Copy-Item -LiteralPath $Program -Destination $new
        $said = & $new --version
        if ($LASTEXITCODE -ne 0 -or $said -ne "corti-auth $Version") {
            throw "the program does not run here, or the archive contains another version: '$said', not 'corti-auth $Version'"
        }
        if (Test-Path -LiteralPath $place) { Move-Item -LiteralPath $place -Destination $old }
        Move-Item -LiteralPath $new -Destination $place
    } finally { # after Ctrl-C, too
        if ((Test-Path -LiteralPath $old) -and -not (Test-Path -LiteralPath $place)) {
            Move-Item -LiteralPath $old -Destination $place
        }
        Remove-Item -LiteralPath $new -Force -ErrorAction SilentlyContinue
    }
    Get-ChildItem -LiteralPath $Folder -Filter 'corti-auth.old-*.exe' | Remove-Item -Force -ErrorAction SilentlyContinue
    Write-Host "installed corti-auth ${Version}: $place"
}

function Show-Path([string]$Folder) {
    $entries = $env:Path -split ';' | ForEach-Object { $_.TrimEnd('\') }
    if ($entries -contains $Folder.TrimEnd('\')) { return }
    Write-Host "$Folder is not in PATH. Add it by these two lines, and open a new terminal:"
    # PowerShell takes the typographic quotes for quotes too. Entries such as %USERPROFILE%\bin stay so, and need an ExpandString.
    # The second line, which changes nothing, tells the system that there is a new Path.
    $quoted = $Folder -replace "['$(-join [char[]](0x2018..0x201B))]", '$0$0'
    $path = "(Get-Item HKCU:\Environment).GetValue('Path', '', 'DoNotExpandEnvironmentNames')"
    Write-Host "  Set-ItemProperty HKCU:\Environment Path ('$quoted;' + $path) -Type ExpandString"
    Write-Host "  [Environment]::SetEnvironmentVariable('CORTI_AUTH_UNUSED', `$null, 'User')"
}

function Install-CortiAuth([string]$Repository, [string]$Version, [string]$To, [string]$Provenance) {
    Set-StrictMode -Version Latest
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue' # Its bars slow things down.
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    $Repository = $Repository.TrimEnd('/')
    $Version = $Version -replace '^v', ''
    Assert-Repository $Repository
    if ($Version -notmatch '^[0-9A-Za-z.+-]*$') { throw "'$Version' is not a version. hint: a version looks like 0.1.0" }
    if (-not $To) { $To = Join-Path $env:LOCALAPPDATA 'Programs\corti-auth' }
    $To = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($To)
    $target = Get-Target
    $work = Join-Path ([IO.Path]::GetTempPath()) "corti-auth-$([Guid]::NewGuid())"
    $null = New-Item -ItemType Directory -Path $work
    try {
        $downloads = "$Repository/releases/latest/download"
        if ($Version) { $downloads = "$Repository/releases/download/v$Version" }
        $sums = Join-Path $work 'SHA256SUMS'
        Save-Url "$downloads/SHA256SUMS" $sums
        $archive = Find-Archive $sums $Version $target
        $file = Join-Path $work $archive.Name
        Save-Url "$Repository/releases/download/v$($archive.Version)/$($archive.Name)" $file
        $found = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLower()
        if ($found -ne $archive.Sum) {
            throw "the checksum of $($archive.Name) is wrong: expected $($archive.Sum), found $found. hint: try again"
        }
        Assert-Provenance $file $Repository $archive.Version $Provenance
        Expand-Archive -LiteralPath $file -DestinationPath $work
        $folder = Join-Path $work ([IO.Path]::GetFileNameWithoutExtension($archive.Name))
        Install-Program (Join-Path $folder 'corti-auth.exe') $To $archive.Version
        Show-Path $To
    } finally {
        Remove-Item -LiteralPath $work -Recurse -Force -ErrorAction SilentlyContinue
    }
}

# From a file it ends with exit code 1; pasted into a terminal it must not close it.
function Main([string]$Repository, [string]$Version, [string]$To, [string]$Provenance) {
    try {
        Install-CortiAuth $Repository $Version $To $Provenance
    } catch {
        if (-not $PSCommandPath) { throw }
        [Console]::Error.WriteLine("error: $($_.Exception.Message -replace '\.? hint: ', "`nhint: ")")
        exit 1
    }
}

Main $Repository $Version $To $Provenance
