@echo off
rem The command line of a source checkout on Windows, under the Node 24 that is installed there.
setlocal
set "root=%~dp0.."
if not exist "%root%\out\main\cli.js" (
  node "%root%\scripts\setup.mjs" || exit /b 1
)
if /i "%~1"=="start" (
  node "%root%\scripts\start.mjs" %2 %3 %4 %5 %6 %7 %8 %9
  exit /b %errorlevel%
)
node "%root%\out\main\cli.js" %*
