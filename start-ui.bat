@echo off
rem Seachange on Windows: sets itself up on first use (and again when pyproject.toml changes), then runs.
rem   start-ui.bat            the window
rem   start-ui.bat --help     the command line
rem   start-ui.bat test       every check of the program itself
setlocal EnableExtensions DisableDelayedExpansion
set "HERE=%~dp0"
set "HERE=%HERE:~0,-1%"
set "VENV=%HERE%\.venv"
set "PY=%VENV%\Scripts\python.exe"
set "KIND=app"
set "WANTED=."
if /i "%~1"=="test" (
    set "KIND=test"
    set "WANTED=.[test]"
)

call :is_installed
if not errorlevel 1 goto start

call :is_whole
if errorlevel 1 call :make_environment
if errorlevel 1 exit /b 2
del /q "%VENV%\installed-*" 2>nul
echo Installing what Seachange needs; the first time this downloads a lot ...
rem The plain index holds torch for the CPU on Windows; the builds for NVIDIA cards have an index of their own.
set "TORCH_INDEX=https://download.pytorch.org/whl/cpu"
where nvidia-smi >nul 2>nul && set "TORCH_INDEX=https://download.pytorch.org/whl/cu128"
pushd "%HERE%"
rem torch first and from its own index alone, because with two indexes pip takes the higher version, of whatever kind.
"%PY%" -m pip install --disable-pip-version-check "torch>=2.11,<2.14" --index-url %TORCH_INDEX%
if errorlevel 1 goto failed
"%PY%" -m pip install --disable-pip-version-check -e "%WANTED%"
if errorlevel 1 goto failed
popd
rem Written last: an interrupted installation leaves no stamp and is done again.
call :fingerprint > "%VENV%\installed-app"
if "%KIND%"=="test" call :fingerprint > "%VENV%\installed-test"

:start
if "%KIND%"=="test" goto checks
"%PY%" -P -m app %*
exit /b %errorlevel%

:failed
popd
echo The installation did not succeed; the reason stands above. Starting again continues it.
exit /b 2

:checks
pushd "%HERE%"
set "PATH=%VENV%\Scripts;%PATH%"
set "PYTHONPATH=%HERE%"
set "FAILED="
ruff check || set "FAILED=%FAILED% ruff-check"
ruff format --check || set "FAILED=%FAILED% ruff-format"
pyright || set "FAILED=%FAILED% pyright"
lint-imports || set "FAILED=%FAILED% lint-imports"
if defined FAILED echo NOT CLEAN:%FAILED%
"%PY%" -m pytest -n 2 || set "FAILED=%FAILED% pytest"
popd
if defined FAILED exit /b 1
exit /b 0

:fingerprint
"%PY%" -I -S -c "import hashlib,sys; p=sys.argv[1]; print(p,*sys.version_info[:2],hashlib.sha256(open(p,'rb').read()).hexdigest())" "%HERE%\pyproject.toml"
exit /b %errorlevel%

:is_installed
if not exist "%PY%" exit /b 1
if not exist "%VENV%\installed-%KIND%" exit /b 1
"%PY%" -I -S -c "import hashlib,sys; p=sys.argv[1]; now=' '.join(map(str,[p,*sys.version_info[:2],hashlib.sha256(open(p,'rb').read()).hexdigest()])); sys.exit(open(sys.argv[2]).read().strip()!=now)" "%HERE%\pyproject.toml" "%VENV%\installed-%KIND%"
exit /b %errorlevel%

:is_whole
if not exist "%PY%" exit /b 1
"%PY%" -I -c "import pip" 2>nul
exit /b %errorlevel%

:make_environment
set "BASE="
for %%V in (3.11 3.12 3.13 3.14) do if not defined BASE py -%%V -I -c "import venv, ensurepip, tkinter" >nul 2>nul && set "BASE=py -%%V"
if not defined BASE python -I -c "import sys, venv, ensurepip, tkinter; sys.exit(not (3,11) <= sys.version_info[:2] <= (3,13))" >nul 2>nul && set "BASE=python"
if not defined BASE (
    echo Seachange needs Python 3.11, 3.12, 3.13 or 3.14 with tcl/tk, and there is none.
    echo Get it from https://www.python.org/downloads/windows and leave "tcl/tk and IDLE" ticked.
    exit /b 2
)
echo Setting up with %BASE% in %VENV%
%BASE% -m venv --clear "%VENV%"
exit /b %errorlevel%
