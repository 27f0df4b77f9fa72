"""Calls the service as a client of python3-zeep, which knows nothing of it but its description.

Usage: zeep-client.py <service url> <user name> <password>. Logs in and asks for the list of changes, in both versions of SOAP, and prints what it got as JSON.
"""

import json
import sys
from datetime import datetime

import zeep

url, user_name, password = sys.argv[1:]
client = zeep.Client(url + "?WSDL")
told = {}
for port in ("SyncAPISoap", "SyncAPISoap12"):
    service = client.bind("SyncAPI", port)
    login = service.AccountLogin(APIKey="zeep", OrgID=0, UserName=user_name, Password=password)
    ask = lambda date, **more: service.ChangeList(Token=login.Token, Parameters={"LocalDate": date, "ChangeType": 3, **more})
    first = ask(datetime(1, 1, 1))
    files = first.ChangedFileList.ChangeFileItem if first.ChangedFileList else []
    folders = first.ChangedFolderList.ChangeItem if first.ChangedFolderList else []
    except_files = {"long": [9223372036854775807, *(file.ItemId for file in files)]}
    rest = ask(datetime(1, 1, 1), FileExceptionList=except_files)
    again = ask(first.SyncEndDate)
    try:
        service.ChangeList(Token="nobody", Parameters={"LocalDate": first.SyncEndDate, "ChangeType": 3})
        fault = None
    except zeep.exceptions.Fault as error:
        fault = [error.code, error.message]
    told[port] = {
        "message": login.ErrorMessage,
        "files": [[file.Path, file.Name, file.ParentFolderID, file.Size, file.Checksum, file.ActionCode] for file in files],
        "folders": [[folder.Path, folder.ItemId, folder.ActionCode] for folder in folders],
        "full": first.FullSync,
        "header": first.HeaderChanged,
        "offset": first.OffsetDate,
        "end": first.SyncEndDate.timestamp(),
        "rest": [rest.ChangedFileList, len(rest.ChangedFolderList.ChangeItem) if rest.ChangedFolderList else 0],
        "again": [again.FullSync, again.ChangedFileList, again.ChangedFolderList, again.SyncEndDate == first.SyncEndDate],
        "fault": fault,
    }
print(json.dumps(told))
