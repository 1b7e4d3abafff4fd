/* What tests/wine/run cannot do from Linux. Its first argument is a command:
 *   credentials  prints this user's credentials, one a line: target, user, size, the secret in hexadecimal
 *   forget       deletes them
 *   print FILE   prints the file
 *   wait         waits for Ctrl-C, works on for 300 ms, and exits with 5
 */
#include <windows.h>
#include <wincred.h>
#include <stdio.h>

static void print(const WCHAR *text) {
  char utf8[8192];
  WideCharToMultiByte(CP_UTF8, 0, text ? text : L"", -1, utf8, sizeof utf8, NULL, NULL);
  fputs(utf8, stdout);
}

static void each_credential(int forget) {
  DWORD count = 0;
  CREDENTIALW **all = NULL;
  CredEnumerateW(NULL, 0, &count, &all); /* fails if there is none */
  for (DWORD i = 0; i < count; i++) {
    if (forget) {
      CredDeleteW(all[i]->TargetName, all[i]->Type, 0);
      continue;
    }
    print(all[i]->TargetName);
    putchar('\t');
    print(all[i]->UserName);
    printf("\t%lu\t", all[i]->CredentialBlobSize);
    for (DWORD at = 0; at < all[i]->CredentialBlobSize; at++) printf("%02x", all[i]->CredentialBlob[at]);
    putchar('\n');
  }
}

static HANDLE interrupted;

static BOOL WINAPI on_event(DWORD event) {
  if (event == CTRL_C_EVENT) SetEvent(interrupted);
  return event == CTRL_C_EVENT;
}

int wmain(int count, WCHAR **arguments) {
  const WCHAR *command = count > 1 ? arguments[1] : L"";
  if (!wcscmp(command, L"credentials")) each_credential(0);
  else if (!wcscmp(command, L"forget")) each_credential(1);
  else if (!wcscmp(command, L"print") && count == 3) {
    FILE *file = _wfopen(arguments[2], L"rb");
    for (int byte; file && (byte = fgetc(file)) != EOF;) putchar(byte);
    return file == NULL;
  }
  else if (!wcscmp(command, L"wait")) {
    interrupted = CreateEventW(NULL, TRUE, FALSE, NULL);
    SetConsoleCtrlHandler(on_event, TRUE);
    puts("waiting");
    fflush(stdout);
    WaitForSingleObject(interrupted, INFINITE);
    Sleep(300);
    puts("tidied up");
    return 5;
  } else return 2;
  return 0;
}
