"""`windowshop user-data` and `erase-user`: what a server holds of a person, as JSON."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from recommender.service.connection import Connection, connecting

#: A long history is looked for in every file of served pages.
_CALL_SECONDS: Final = 120.0
_User = Annotated[str, typer.Argument(help="User id.", show_default=False)]


def add_privacy_commands(app: typer.Typer) -> None:
    """Give the command line its commands for persons."""
    app.command("user-data")(connecting(user_data))
    app.command("erase-user")(connecting(erase_user))


def user_data(user: _User, *, connection: Connection) -> None:
    """Print all that a server holds of a user as JSON: events, pages shown, what the live model carries; role admin."""
    import grpc
    from google.protobuf.json_format import MessageToJson

    from recommender.api.v1 import privacy_pb2, privacy_pb2_grpc
    from recommender.service.client import explain

    request = privacy_pb2.GetUserDataRequest(user_id=user)
    with connection.channel() as channel:
        stub = privacy_pb2_grpc.PrivacyServiceStub(channel)
        try:
            whole = page = stub.GetUserData(request, timeout=_CALL_SECONDS)
            while page.next_page_token:
                request.page_token = page.next_page_token
                page = stub.GetUserData(request, timeout=_CALL_SECONDS)
                whole.events.extend(page.events)
        except grpc.RpcError as error:
            raise explain(error, connection.target) from error
    whole.next_page_token = ""
    typer.echo(MessageToJson(whole, preserving_proto_field_name=True))


def erase_user(user: _User, *, connection: Connection) -> None:
    """Erase all that a server holds of a user and print the certificate as JSON; cannot be undone; role admin.

    The next model is trained without the user if `windowshop train --erased` names the folder of `export-events`.
    """
    import grpc
    from google.protobuf.json_format import MessageToJson

    from recommender.api.v1 import privacy_pb2, privacy_pb2_grpc
    from recommender.service.client import explain

    with connection.channel() as channel:
        stub = privacy_pb2_grpc.PrivacyServiceStub(channel)
        try:
            told = stub.EraseUser(privacy_pb2.EraseUserRequest(user_id=user), timeout=_CALL_SECONDS)
        except grpc.RpcError as error:
            raise explain(error, connection.target) from error
    typer.echo(MessageToJson(told, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
