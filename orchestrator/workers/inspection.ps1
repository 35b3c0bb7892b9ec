# The inspection of one Windows host: reads what it is asked to and writes nothing on it.
# Never decides what a finding means; what stops at its bound, or cannot be read, is said.
#
# $Asked comes before this text: token, root, paths, markers, files_max, list_bytes_max, sample_bytes_max,
# samples_bytes_max, and wanted: where that names files, these are sent and nothing else is looked at.
# Windows PowerShell 5.1, with what every Windows brings. Nothing here depends on the language of the system.
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$Text = New-Object System.Text.UTF8Encoding $false
# Who asks through SSH reads the standard output; a check-in gives a stream of its own.
if ($null -eq $Asked.PSObject.Properties['post']) { $Out = [Console]::OpenStandardOutput() }
else { $Out = New-Object System.IO.MemoryStream }
$Root = $Asked.root
if (-not $Root) { $Root = $env:SystemDrive + '\' }
# Functions change it, so it is an object: a script that came as text has no scope of its own to name.
$Unread = @{ count = 0; said = @() }

function Send-Text([string]$Line) {
    $bytes = $Text.GetBytes($Line)
    $Out.Write($bytes, 0, $bytes.Length)
}

function Write-Unread([string]$What, $Problem) {
    # The first are named, the others counted.
    $Unread.count += 1
    if ($Unread.count -gt 20) { return }
    $line = ($What + ': ' + $Problem.Exception.Message) -replace '[\x00-\x1f\x7f]+', ' '
    $Unread.said += $line
    [Console]::Error.WriteLine($line)
}

function Send-List([string]$Name, [scriptblock]$Read) {
    # Every line of a list is NAME: what is known of it. A name is a path with forward slashes.
    Send-Text ($Asked.token + ' ' + $Name + "`n")
    $left = $Asked.list_bytes_max
    try {
        & $Read | ForEach-Object {
            $line = ([string]$_ -replace '[\x00-\x1f\x7f]+', ' ')
            $bytes = $Text.GetBytes($line + "`n")
            if ($left -gt 0) {
                $Out.Write($bytes, 0, [Math]::Min($bytes.Length, $left))
                $left -= $bytes.Length
            }
        }
    } catch {
        Send-Text ("`n" + $Asked.token + ' failed ' + $Name + "`n")
        Write-Unread $Name $_
    }
}

function Get-Value([string]$Key, [string]$Under) {
    # Each value below a key of the registry, as KEY/VALUE: data; a key that is not there has none.
    if (-not (Test-Path -LiteralPath $Key)) { return }
    $item = Get-Item -LiteralPath $Key
    foreach ($name in $item.GetValueNames()) {
        $shown = $item.GetValue($name, $null, 'DoNotExpandEnvironmentNames')
        $Under + '/' + ($name -replace '[\\:]', '/') + ': ' + (@($shown) -join ' ')
    }
}

function Get-NamedValue([string]$Key, [string]$Under, [string[]]$Names) {
    Get-Value $Key $Under | Where-Object { $Names -contains (($_ -split ': ', 2)[0] -split '/')[-1] }
}

function Get-Hive {
    # The machine's own hive, then that of every account that is loaded.
    'HKLM'
    Get-ChildItem -LiteralPath 'Registry::HKEY_USERS' -ErrorAction SilentlyContinue |
        Where-Object { $_.PSChildName -notmatch '_Classes$' } | ForEach-Object { 'HKU/' + $_.PSChildName }
}

function Get-KeyPath([string]$Hive) {
    'Registry::' + (($Hive -replace '^HKLM', 'HKEY_LOCAL_MACHINE' -replace '^HKU', 'HKEY_USERS') -replace '/', '\')
}

function Get-File([string]$Folder) {
    # Full names of the files below a folder; links are not followed, what cannot be opened is told.
    $waiting = New-Object 'System.Collections.Generic.Stack[string]'
    $waiting.Push($Folder)
    while ($waiting.Count -gt 0) {
        $here = $waiting.Pop()
        try {
            foreach ($entry in (New-Object System.IO.DirectoryInfo $here).EnumerateFileSystemInfos()) {
                if ($entry.Attributes -band [System.IO.FileAttributes]::ReparsePoint) { continue }
                if ($entry.Attributes -band [System.IO.FileAttributes]::Directory) { $waiting.Push($entry.FullName) }
                else { $entry.FullName }
            }
        } catch { Write-Unread $here $_ }
    }
}

function Get-AllFile {
    foreach ($path in $Asked.paths) {
        $full = Join-Path $Root ($path -replace '/', '\')
        if (Test-Path -LiteralPath $full -PathType Container) { Get-File $full }
    }
}

function Get-ShortName([string]$Path) {
    $Path.Substring($Root.TrimEnd('\').Length + 1) -replace '\\', '/'
}

function Send-File([string]$Path, [int]$SizeMax) {
    # The first bytes of one file; how many were sent.
    $file = New-Object System.IO.FileStream $Path, 'Open', 'Read', 'ReadWrite, Delete'
    try {
        $buffer = New-Object byte[] $SizeMax
        $got = 0
        do {
            $more = $file.Read($buffer, $got, $SizeMax - $got)
            $got += $more
        } while ($more -gt 0 -and $got -lt $SizeMax)
        Send-Text ($Asked.token + " sample`n")
        $Out.Write($buffer, 0, $got)
        $got
    } finally { $file.Dispose() }
}

function Send-Wanted {
    $left = $Asked.samples_bytes_max
    foreach ($path in $Asked.wanted) {
        if ($left -le 0) { break }
        try {
            $full = Join-Path $Root ($path -replace '/', '\')
            $left -= Send-File $full ([Math]::Min($Asked.sample_bytes_max, $left))
        } catch { Write-Unread $path $_ }
    }
}

function Get-Account {
    foreach ($one in Get-CimInstance -ClassName Win32_UserAccount -Filter 'LocalAccount=TRUE') {
        $one.Name + ': ' + $one.SID + ' disabled=' + $one.Disabled + ' password-required=' + $one.PasswordRequired
    }
}

function Get-Group {
    foreach ($one in Get-CimInstance -ClassName Win32_Group -Filter 'LocalAccount=TRUE') {
        $group = [ADSI]('WinNT://./' + $one.Name + ',group')
        $members = foreach ($member in @($group.psbase.Invoke('Members'))) {
            ($member.GetType().InvokeMember('ADsPath', 'GetProperty', $null, $member, $null)) -replace '^WinNT://', ''
        }
        $one.Name + ': ' + $one.SID + ' ' + (@($members) -join ',')
    }
}

function Get-ServiceEntry {
    foreach ($one in Get-CimInstance -ClassName Win32_Service) {
        $key = 'Registry::HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\' + $one.Name + '\Parameters'
        $library = Get-NamedValue $key '' @('ServiceDll') | ForEach-Object { ' ' + $_.TrimStart('/') }
        $one.Name + ': ' + $one.StartMode + ' ' + $one.State + ' ' + $one.StartName + ' ' + $one.PathName + $library
    }
}

function Get-Driver {
    foreach ($one in Get-CimInstance -ClassName Win32_SystemDriver) {
        $one.Name + ': ' + $one.StartMode + ' ' + $one.State + ' ' + $one.PathName
    }
}

function Get-Task($Folder) {
    # Triggers by their number in the task scheduler's reference: 1 is one date, 8 at boot, 9 at logon.
    foreach ($task in $Folder.GetTasks(1)) {
        $definition = $task.Definition
        $triggers = foreach ($one in $definition.Triggers) {
            'trigger=' + [int]$one.Type + '@' + $one.StartBoundary
        }
        $actions = foreach ($one in $definition.Actions) {
            if ([int]$one.Type -eq 0) { 'runs=' + $one.Path + ' ' + $one.Arguments }
            elseif ([int]$one.Type -eq 5) { 'class=' + $one.ClassId + ' ' + $one.Data }
            else { 'action=' + [int]$one.Type }
        }
        ($task.Path.TrimStart('\') -replace '[\\:]', '/') + ': enabled=' + $task.Enabled + ' as=' +
            $definition.Principal.UserId + $definition.Principal.GroupId + ' hidden=' + $definition.Settings.Hidden +
            ' ' + (@($triggers) -join ' ') + ' ' + (@($actions) -join ' ')
    }
    foreach ($inner in $Folder.GetFolders(0)) { Get-Task $inner }
}

function Get-ScheduledEntry {
    $scheduler = New-Object -ComObject Schedule.Service
    $scheduler.Connect()
    Get-Task $scheduler.GetFolder('\')
}

function Get-RunKey {
    $keys = 'Microsoft/Windows/CurrentVersion/Run', 'Microsoft/Windows/CurrentVersion/RunOnce',
        'Microsoft/Windows/CurrentVersion/RunServices', 'Microsoft/Windows/CurrentVersion/RunServicesOnce',
        'Microsoft/Windows/CurrentVersion/Policies/Explorer/Run'
    foreach ($hive in Get-Hive) {
        foreach ($software in 'SOFTWARE', 'SOFTWARE/WOW6432Node') {
            foreach ($key in $keys) {
                $under = $hive + '/' + $software + '/' + $key
                Get-Value (Get-KeyPath $under) $under
            }
            $logon = $hive + '/' + $software + '/Microsoft/Windows NT/CurrentVersion/Winlogon'
            Get-NamedValue (Get-KeyPath $logon) $logon @('Shell', 'Userinit', 'Taskman')
            $libraries = $hive + '/' + $software + '/Microsoft/Windows NT/CurrentVersion/Windows'
            Get-NamedValue (Get-KeyPath $libraries) $libraries @('AppInit_DLLs', 'Load', 'Run')
        }
    }
    $session = 'HKLM/SYSTEM/CurrentControlSet/Control/Session Manager'
    Get-NamedValue (Get-KeyPath $session) $session @('BootExecute', 'SetupExecute', 'Execute')
    $lsa = 'HKLM/SYSTEM/CurrentControlSet/Control/Lsa'
    Get-NamedValue (Get-KeyPath $lsa) $lsa @('Authentication Packages', 'Notification Packages', 'Security Packages')
    $images = 'HKLM/SOFTWARE/Microsoft/Windows NT/CurrentVersion/Image File Execution Options'
    foreach ($image in Get-ChildItem -LiteralPath (Get-KeyPath $images) -ErrorAction SilentlyContinue) {
        $under = $images + '/' + $image.PSChildName
        Get-NamedValue (Get-KeyPath $under) $under @('Debugger', 'VerifierDlls')
    }
}

function Get-StartUp {
    $menu = 'Microsoft\Windows\Start Menu\Programs\StartUp'
    $folders = @(Join-Path $env:ProgramData $menu)
    foreach ($owner in Get-CimInstance -ClassName Win32_UserProfile) {
        if ($owner.LocalPath) { $folders += Join-Path $owner.LocalPath ('AppData\Roaming\' + $menu) }
    }
    foreach ($folder in $folders) {
        if (Test-Path -LiteralPath $folder) { Get-File $folder | ForEach-Object { (Get-ShortName $_) + ': start-up' } }
    }
}

function Get-LogonScript {
    foreach ($hive in Get-Hive) {
        $under = $hive + '/Environment'
        Get-NamedValue (Get-KeyPath $under) $under @('UserInitMprLogonScript')
        $policy = $hive + '/SOFTWARE/Microsoft/Windows/CurrentVersion/Group Policy/Scripts'
        if (-not (Test-Path -LiteralPath (Get-KeyPath $policy))) { continue }
        foreach ($key in Get-ChildItem -LiteralPath (Get-KeyPath $policy) -Recurse) {
            $below = $policy + ($key.Name.Substring($key.Name.IndexOf('\Group Policy\Scripts') + 21) -replace '\\', '/')
            Get-NamedValue ('Registry::' + $key.Name) $below @('Script', 'Parameters', 'FileSysPath')
        }
    }
    # What policies and a domain controller hand out: the scripts themselves, wherever the share's folder stands.
    $folders = @((Join-Path $env:SystemRoot 'System32\GroupPolicy'), (Join-Path $env:SystemRoot 'SYSVOL\domain'))
    foreach ($folder in $folders) {
        if (-not (Test-Path -LiteralPath $folder)) { continue }
        Get-File $folder | Where-Object { $_ -match '\\scripts\\|\\ScheduledTasks\.xml$' } |
            ForEach-Object { (Get-ShortName $_) + ': ' + (New-Object System.IO.FileInfo $_).Length + ' bytes' }
    }
}

function Get-Subscription {
    foreach ($class in '__EventFilter', '__EventConsumer', '__FilterToConsumerBinding') {
        foreach ($one in Get-CimInstance -Namespace root/subscription -ClassName $class) {
            $told = foreach ($property in $one.CimInstanceProperties) {
                if ($null -ne $property.Value -and 'Name', 'CreatorSID' -notcontains $property.Name) {
                    $property.Name + '=' + $property.Value
                }
            }
            $name = $one.CimInstanceProperties['Name']
            $shown = if ($null -ne $name) { $name.Value } else { 'binding' }
            $one.CimClass.CimClassName + '/' + ($shown -replace '[\\:]', '/') + ': ' + (@($told) -join ' ')
        }
    }
}

function Get-DirectoryEntry {
    # What can sleep in a directory, on its controllers: who may change what protects administrators, whom it protects,
    # logon scripts, inherited identities, delegation, keys of accounts, and where which policies are linked.
    if ((Get-CimInstance -ClassName Win32_ComputerSystem).DomainRole -lt 4) { return }
    $base = [string]([ADSI]'LDAP://localhost/RootDSE').Properties['defaultNamingContext'].Value
    $holder = [ADSI]('LDAP://localhost/CN=AdminSDHolder,CN=System,' + $base)
    $sids = [System.Security.Principal.SecurityIdentifier]
    foreach ($rule in $holder.psbase.ObjectSecurity.GetAccessRules($true, $false, $sids)) {
        'AdminSDHolder/' + $rule.IdentityReference + ': ' + $rule.AccessControlType + ' ' + $rule.ActiveDirectoryRights
    }
    $told = 'adminCount', 'scriptPath', 'sIDHistory', 'msDS-AllowedToDelegateTo', 'gPLink',
        'msDS-AllowedToActOnBehalfOfOtherIdentity', 'msDS-KeyCredentialLink'
    $search = New-Object System.DirectoryServices.DirectorySearcher ([ADSI]('LDAP://localhost/' + $base))
    $search.Filter = '(|(' + ($told -join '=*)(') + '=*))'
    $search.PageSize = 500
    foreach ($one in $search.FindAll()) {
        $shown = foreach ($name in $told) {
            $values = @($one.Properties[$name])
            if ($values.Length -gt 0) { $name + '=' + ($values -join ',') }
        }
        ([string]$one.Properties['distinguishedname'][0] -replace '[\\:]', '/') + ': ' + (@($shown) -join ' ')
    }
}

function Get-Defender {
    $space = 'root/Microsoft/Windows/Defender'
    foreach ($class in 'MSFT_MpComputerStatus', 'MSFT_MpPreference') {
        foreach ($property in (Get-CimInstance -Namespace $space -ClassName $class).CimInstanceProperties) {
            if ($property.Name -match 'Enabled$|^Disable|^Exclusion|Version$|LastUpdated$|EndTime$|^IsTamper') {
                $property.Name + ': ' + (@($property.Value) -join ', ')
            }
        }
    }
}

function Get-Listening {
    $network = [System.Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties()
    foreach ($one in $network.GetActiveTcpListeners()) { 'tcp ' + $one }
    foreach ($one in $network.GetActiveUdpListeners()) { 'udp ' + $one }
}

function Get-Established {
    $network = [System.Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties()
    foreach ($one in $network.GetActiveTcpConnections()) {
        if ($one.State -eq [System.Net.NetworkInformation.TcpState]::Established) {
            'tcp ' + $one.LocalEndPoint + ' ' + $one.RemoteEndPoint
        }
    }
}

function Get-Resolver {
    foreach ($line in [System.IO.File]::ReadAllLines((Join-Path $env:SystemRoot 'System32\drivers\etc\hosts'))) {
        if ($line -match '^\s*[^#\s]') { 'hosts: ' + $line }
    }
    foreach ($one in Get-CimInstance -ClassName Win32_NetworkAdapterConfiguration -Filter 'IPEnabled=TRUE') {
        $one.Description + ': DNS ' + (@($one.DNSServerSearchOrder) -join ' ')
    }
}

function Get-PatchLevel {
    $version = 'Registry::HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    Get-NamedValue $version '' @('ProductName', 'CurrentBuild', 'UBR', 'DisplayVersion') | ForEach-Object { $_.TrimStart('/') }
    foreach ($one in Get-CimInstance -ClassName Win32_QuickFixEngineering) { $one.HotFixID + ': ' + $one.InstalledOn }
    foreach ($software in 'SOFTWARE', 'SOFTWARE\WOW6432Node') {
        $key = 'Registry::HKEY_LOCAL_MACHINE\' + $software + '\Microsoft\Windows\CurrentVersion\Uninstall'
        foreach ($one in Get-ChildItem -LiteralPath $key -ErrorAction SilentlyContinue) {
            if ($one.GetValue('DisplayName')) { $one.GetValue('DisplayName') + ': ' + $one.GetValue('DisplayVersion') }
        }
    }
}

function Get-Kernel {
    $system = Get-CimInstance -ClassName Win32_OperatingSystem
    $system.Caption + ': ' + $system.Version + ' started ' + $system.LastBootUpTime.ToUniversalTime().ToString('s') + 'Z'
}

function Get-ProcessName {
    Get-CimInstance -ClassName Win32_Process | ForEach-Object { $_.Name } | Sort-Object -Unique
}

function Send-Marker {
    Send-Text ($Asked.token + " markers`n")
    $found = 0
    foreach ($path in Get-AllFile) {
        $name = [System.IO.Path]::GetFileName($path)
        foreach ($pattern in $Asked.markers) {
            if ($found -lt 200 -and $name -like $pattern) {
                Send-Text ((Get-ShortName $path) + [char]0)
                $found += 1
                break
            }
        }
    }
}

function Send-Manifest {
    Send-Text ($Asked.token + " files`n")
    $hasher = New-Object System.Security.Cryptography.SHA256CryptoServiceProvider
    $told = 0
    foreach ($path in Get-AllFile) {
        if ($told -gt $Asked.files_max) { break }
        try {
            $file = New-Object System.IO.FileStream $path, 'Open', 'Read', 'ReadWrite, Delete'
            try { $digest = [BitConverter]::ToString($hasher.ComputeHash($file)).Replace('-', '').ToLowerInvariant() }
            finally { $file.Dispose() }
            Send-Text ($digest + '  ' + (Get-ShortName $path) + [char]0)
            $told += 1
        } catch { Write-Unread $path $_ }
    }
}

if (@($Asked.wanted).Count -gt 0) { Send-Wanted }
else {
    Send-List 'accounts' { Get-Account }
    Send-List 'groups' { Get-Group }
    Send-List 'services' { Get-ServiceEntry }
    Send-List 'scheduled_tasks' { Get-ScheduledEntry }
    Send-List 'run_keys' { Get-RunKey }
    Send-List 'startup' { Get-StartUp }
    Send-List 'logon_scripts' { Get-LogonScript }
    Send-List 'wmi_subscriptions' { Get-Subscription }
    Send-List 'directory' { Get-DirectoryEntry }
    Send-List 'defender' { Get-Defender }
    Send-List 'resolver' { Get-Resolver }
    Send-List 'patch_level' { Get-PatchLevel }
    Send-List 'listening' { Get-Listening }
    Send-List 'established' { Get-Established }
    Send-List 'modules' { Get-Driver }
    Send-List 'kernel' { Get-Kernel }
    Send-List 'processes' { Get-ProcessName }
    Send-Marker
    Send-Manifest
    Send-Text ($Asked.token + " wanted`n")
}
if ($Unread.count -gt 20) {
    $Unread.said += 'and ' + ($Unread.count - 20) + ' more that could not be read'
    [Console]::Error.WriteLine($Unread.said[-1])
}
Send-Text ($Asked.token + " end`n")
$Out.Flush()
