"""The same with FastAPI: `uvicorn --app-dir examples fastapi_upload:app --port 8700`."""

from __future__ import annotations

import uuid
from typing import Annotated

from ask_jikimi import Decision, ask_jikimi
from fastapi import FastAPI, File, HTTPException, UploadFile

app = FastAPI()

REFUSALS = {
    Decision.REFUSE: (403, "This picture cannot be published here."),
    Decision.ASK_FOR_ANOTHER_FILE: (422, "This file cannot be used. Save it anew as JPEG."),
    Decision.TRY_LATER: (503, "Uploads are not possible just now. Try again in a minute."),
}


@app.post("/pictures", status_code=201)
def upload(file: Annotated[UploadFile, File()]) -> dict[str, str]:
    """Take a picture. A plain `def`: asking jikimi waits, and FastAPI runs it in a thread."""
    content_id = uuid.uuid4().hex
    decision = ask_jikimi(file.file.read(), content_id=content_id, account_id="user-7")
    if decision in REFUSALS:
        status, text = REFUSALS[decision]
        raise HTTPException(status, text)
    # Here your site stores the file: in public for `publish`, where nobody sees it for `set aside`.
    return {"id": content_id, "state": decision}
