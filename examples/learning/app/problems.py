"""What goes wrong, told to the browser in one shape: {"error": {"code", "message"}}."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class Problem(Exception):
    """An answer that is not a success. `message` is read by a person."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self) -> JSONResponse:
        return JSONResponse({"error": {"code": self.code, "message": self.message}}, self.status)


def tell_problems(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def told(_: Request, problem: Problem) -> JSONResponse:
        return problem.answer()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        names = sorted({str(one["loc"][-1]) for one in error.errors()})
        return Problem(422, "invalid", "Please check: " + ", ".join(names) + ".").answer()

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: HTTPException) -> JSONResponse:
        code = "not-found" if error.status_code == 404 else "refused"
        return Problem(error.status_code, code, str(error.detail)).answer()
