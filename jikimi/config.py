"""The settings: one tree, from `jikimi.toml` in the data folder and from `JIKIMI_…` in the environment, which wins."""

from __future__ import annotations

import os
import re
from datetime import time, timedelta
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from jikimi.model.bank import Category, OnMatch
from jikimi.model.case import Targets
from jikimi.model.decision import ReviewRules, TwoPerson
from jikimi.model.errors import Refused
from jikimi.model.exposure import ExposureRules
from jikimi.model.hma import HmaRules
from jikimi.model.match import FloodRule
from jikimi.model.media import Limits
from jikimi.model.signin import SignInRules

FILE_NAME = "jikimi.toml"
_MIB = 1024 * 1024
_PREFIX = re.compile(r"(/[A-Za-z0-9_-]+)+")
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def default_data() -> Path:
    """The user's data directory (XDG base directory specification)."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "jikimi"


class Settings(BaseSettings):
    """Everything an operator can choose."""

    model_config = SettingsConfigDict(env_prefix="JIKIMI_", env_ignore_empty=True, extra="forbid", frozen=True)

    data: Path = Field(
        default_factory=default_data, description="Folder for records, index and keys; made with mode 700."
    )
    database_url: str = Field("", description="postgresql://… to use PostgreSQL; empty: SQLite in the data folder.")
    blobs_url: str = Field(
        "", description="s3://… or file://… for bytes that are set aside; empty: in the data folder."
    )
    evidence_folder: str = Field(
        "", description="Folder of the evidence keys; empty: `keys` in the data folder. Mount a private one elsewhere."
    )
    evidence_passphrase_file: str = Field(
        "", description="File with the passphrase that private evidence keys are locked with; empty: they are not."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8600, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    desk_origin: str = Field(
        "", description="https://… under which browsers reach the pages; empty: http://localhost with the port."
    )
    session_idle_minutes: float = Field(30.0, gt=0, le=720, description="Unused for so long, a session ends.")
    session_hours: float = Field(12.0, gt=0, le=168, description="A session ends after so long in any case.")
    invitation_hours: float = Field(72.0, gt=0, le=720, description="How long a one-time link can be used.")
    oidc_issuer: str = Field("", description="Identity provider (OpenID Connect) as its own issuer; empty: none.")
    oidc_client_id: str = Field("", description="Under what the provider knows this installation.")
    oidc_client_secret_file: Path | None = Field(None, description="File with the client's secret, if it has one.")
    oidc_name: str = Field("", description="What people call the provider; empty: its host.")
    max_upload_mib: int = Field(64, ge=1, le=4096, description="Larger uploads are `unchecked: too_large`. MiB.")
    max_pixels: int = Field(64_000_000, ge=10_000, description="Pixels of one picture. More: `too_many_pixels`.")
    max_frames: int = Field(100, ge=1, le=10_000, description="Frames or pages of one file. More: `too_many_frames`.")
    max_total_pixels: int = Field(
        256_000_000, ge=10_000, description="Pixels over all frames. More: `too_many_frames`."
    )
    decode_seconds: float = Field(4.0, gt=0, le=60, description="Time for one file. More: `timeout`.")
    decode_memory_mib: int = Field(768, ge=64, description="Memory for decoding one file. More: `memory`. MiB.")
    decode_workers: int = Field(0, ge=0, le=256, description="Files decoded at once; 0: one per processor.")
    decode_wait_seconds: float = Field(30.0, gt=0, description="Waiting longer for a free decoder is `busy`.")
    sandbox: bool = Field(True, description="false decodes without the kernel's locks. For systems that have none.")
    flood_limit: int = Field(
        200, ge=0, description="Matches of one entry within the window that hold its bank; 0: never."
    )
    flood_minutes: float = Field(10.0, gt=0, description="The window of flood_limit.")
    look_back_days: float = Field(
        7,
        ge=0,
        le=90,
        description="How long signals of all uploads, clear ones too, are kept so that entries which come later find "
        "them. 0: nothing is kept.",
    )
    canary_seconds: float = Field(60.0, gt=0, description="How often the canary is sent.")
    webhook_plain_http: bool = Field(False, description="true lets webhook_url be http to another machine.")
    webhook_url: str = Field(
        "", description="Where the platform hears what to do: https, or http to this machine. Empty: actions wait."
    )
    webhook_keys: str = Field(
        "",
        description="Keys that sign, newest first, with commas between: each a value, or file: and a path with one key "
        "a line. Empty: `webhook.keys` in the data folder, made at the first use.",
    )
    webhook_timeout_seconds: float = Field(10.0, gt=0, le=60, description="Time for one answer of the platform.")
    hma_port: int = Field(
        0, ge=0, le=65535, description="Port on which programs written for HMA are answered; 0: on none of their own."
    )
    hma_prefix: str = Field(
        "", description="Path, such as /hma, below which they are answered on `port`; empty: not there."
    )
    hma_key: Literal["required", "none"] = Field(
        "required", description="Whether they have to show a key (`Authorization: Bearer jk_…`). Many cannot."
    )
    hma_open: bool = Field(
        False, description="true lets hma_key be none on an address that other machines reach: guard it otherwise."
    )
    hma_category: Category = Field(Category.OTHER, description="What banks hold that such programs make.")
    hma_on_match: OnMatch = Field(OnMatch.HOLD, description="What a match in one of these banks does to an upload.")
    peer_key_file: Path | None = Field(
        None,
        description="File with the key that signs what peers get; empty: `peer.key` in the data folder, made at the "
        "first use. Nodes of one installation share it.",
    )
    outgoing_proxy: str = Field(
        "",
        description="http://name:port of the proxy to exchanges; empty: that of HTTPS_PROXY. NO_PROXY holds for both.",
    )
    outgoing_ca_file: Path | None = Field(
        None, description="File with certificates (PEM) of more authorities that exchanges may be certified by."
    )
    secrets_key_file: Path | None = Field(
        None,
        description="File with the key that seals exchanges' credentials; empty: `secrets.key` in the data folder, "
        "made at the first use. Nodes of one database need the same one.",
    )
    hma_url_hosts: tuple[str, ...] = Field(
        (), description="Hosts, with all below them, whose pictures may be hashed by address. Empty: none are fetched."
    )
    plugs: tuple[str, ...] = Field(
        (),
        description="Kinds of exchange from other packages that are used: a list. What ships with jikimi needs no "
        "naming; what else is installed is not used until it is named.",
    )
    lease_minutes: float = Field(
        10.0, gt=0, le=120, description="How long a case is a reviewer's before it is free again."
    )
    undo_minutes: float = Field(30.0, ge=0, description="How long a decision can be undone.")
    two_person: tuple[TwoPerson, ...] = Field(
        (TwoPerson.LEGAL_HOLD, TwoPerson.BANK_ADDITION, TwoPerson.IRREVERSIBLE),
        description="What a second person has to agree to: a list of legal_hold, bank_addition, irreversible, "
        "suspension, false_positive.",
    )
    target_hours: dict[Literal["5", "4", "3", "1"], PositiveFloat] = Field(
        {"5": 4, "4": 12, "3": 24, "1": 72},
        description="By severity: within how many hours you want a case decided. Your own target, no law's.",
    )
    exposure_soft_hours: float = Field(4.0, gt=0, le=24, description="Weighted hours a day after which to advise rest.")
    exposure_hard_hours: float = Field(5.0, gt=0, le=24, description="Weighted hours a day that may be shown.")
    break_every_minutes: float = Field(60.0, gt=0, description="After so long with pictures a break is due.")
    break_minutes: float = Field(10.0, gt=0, description="How long a break is.")
    cut_off: time | Literal["never"] = Field(
        time(16, 0), description="From this hour on no picture is shown, in each person's own time zone; or `never`."
    )
    day_begins: time = Field(
        time(5, 0),
        description="When a person's day begins. Caps start anew; before it, no picture if there is a cut_off.",
    )
    longest_reveal_seconds: float = Field(60.0, gt=0, le=600, description="The longest that one look can last.")
    log_format: Literal["console", "json"] = Field("console", description="How log lines are written to stderr.")

    @field_validator("desk_origin")
    @classmethod
    def _origin(cls, value: str) -> str:
        parts = urlsplit(value)
        is_local = parts.scheme == "http" and parts.hostname == "localhost"
        is_plain = bool(parts.hostname) and value == f"{parts.scheme}://{parts.netloc}"
        if value and not (is_plain and (parts.scheme == "https" or is_local)):
            raise ValueError("write https://name or https://name:port, without a path (http only for localhost)")
        return value

    @field_validator("outgoing_proxy")
    @classmethod
    def _proxy(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("write http://name:port or https://name:port")
        return value

    @field_validator("hma_url_hosts")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_HOST.fullmatch(name) for name in value):
            raise ValueError("write names of hosts, such as pictures.example.org, without http:// or *")
        return tuple(name.lower() for name in value)

    @model_validator(mode="after")
    def _provider(self) -> Self:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("oidc_issuer needs oidc_client_id")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before environment before file; nothing else is read."""
        given = {**env_settings(), **init_settings()}
        file = Path(given.get("data") or default_data()) / FILE_NAME
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file))

    @classmethod
    def load(cls, **given: object) -> Self:
        """Read all sources; `Refused` lists every mistake. Arguments that are None count as not given."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        except ValidationError as error:
            mistakes = "; ".join(
                ": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, "))))
                for one in error.errors()
            )
            raise Refused("settings_invalid", f"The settings need a change: {mistakes}.") from error
        except ValueError as error:
            raise Refused("settings_invalid", f"{FILE_NAME} cannot be read: {error}.") from error

    @field_validator("webhook_url")
    @classmethod
    def _is_private(cls, url: str, info: ValidationInfo) -> str:
        """What is signed is not secret; who is accused of what, is."""
        parts = urlsplit(url)
        if not url:
            return url
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is no http or https address")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not info.data.get("webhook_plain_http"):
            raise ValueError("has to be https; webhook_plain_http allows http")
        return url

    @field_validator("hma_prefix")
    @classmethod
    def _is_free(cls, prefix: str) -> str:
        if prefix and (not _PREFIX.fullmatch(prefix) or prefix.split("/")[1] in ("desk", "v1")):
            raise ValueError("is a path such as /hma, outside of /desk and /v1, that does not end in /")
        return prefix

    @field_validator("hma_category")
    @classmethod
    def _is_harm(cls, category: Category) -> Category:
        if category in (Category.ALLOW, Category.CANARY):
            raise ValueError("is a kind of harm; what is harmless is not told apart by programs written for HMA")
        return category

    @model_validator(mode="after")
    def _hma_is_guarded(self) -> Self:
        is_served = bool(self.hma_port or self.hma_prefix)
        if is_served and self.hma_key == "none" and self.host not in _LOOPBACK and not self.hma_open:
            raise ValueError(
                f"hma_key none lets everybody who reaches {self.host} change banks; listen on 127.0.0.1, ask for keys, "
                "or say hma_open = true if something else keeps strangers away"
            )
        if self.hma_port and self.hma_port == self.port:
            raise ValueError("hma_port and port are two ports; use hma_prefix for one")
        return self

    @property
    def hma(self) -> HmaRules:
        """What holds for programs written for HMA."""
        return HmaRules(needs_key=self.hma_key == "required", category=self.hma_category, on_match=self.hma_on_match)

    @property
    def database(self) -> str:
        """The address of the database."""
        return self.database_url or f"sqlite:///{self.data.absolute()}/jikimi.db"

    @property
    def origin(self) -> str:
        """The origin of the pages. Passkeys work on https, and on http only under the name localhost."""
        return self.desk_origin or f"http://localhost:{self.port}"

    @property
    def sign_in(self) -> SignInRules:
        """How long sessions and links last."""
        return SignInRules(
            idle=timedelta(minutes=self.session_idle_minutes),
            longest=timedelta(hours=self.session_hours),
            link=timedelta(hours=self.invitation_hours),
        )

    @property
    def blobs(self) -> str:
        """The address of the store for bytes."""
        return self.blobs_url or f"file://{self.data.absolute()}/blobs"

    @property
    def keys(self) -> Path:
        """The folder of the evidence keys."""
        return Path(self.evidence_folder) if self.evidence_folder else self.data / "keys"

    @property
    def secrets_key(self) -> Path:
        """The file of the key that seals credentials."""
        return self.secrets_key_file or self.data / "secrets.key"

    @property
    def passphrase_file(self) -> Path | None:
        """Where the passphrase of the private evidence keys is, if they are locked."""
        return Path(self.evidence_passphrase_file) if self.evidence_passphrase_file else None

    @property
    def peer_key(self) -> Path:
        """The file of the key that signs what peers get."""
        return self.peer_key_file or self.data / "peer.key"

    @property
    def limits(self) -> Limits:
        """What one file may cost."""
        return Limits(
            max_bytes=self.max_upload_mib * _MIB,
            max_pixels=self.max_pixels,
            max_frames=self.max_frames,
            max_total_pixels=self.max_total_pixels,
            seconds=self.decode_seconds,
            memory_bytes=self.decode_memory_mib * _MIB,
        )

    @property
    def look_back(self) -> timedelta:
        """How long signals of uploads are kept."""
        return timedelta(days=self.look_back_days)

    @property
    def flood(self) -> FloodRule:
        """When a bank is held."""
        return FloodRule(limit=self.flood_limit, window=timedelta(minutes=self.flood_minutes))

    @property
    def review(self) -> ReviewRules:
        """What holds for deciding."""
        hours = {int(severity): timedelta(hours=value) for severity, value in self.target_hours.items()}
        return ReviewRules(
            two_person=frozenset(self.two_person),
            lease=timedelta(minutes=self.lease_minutes),
            undo_window=timedelta(minutes=self.undo_minutes),
            targets=Targets(by_severity=hours),
        )

    @property
    def exposure(self) -> ExposureRules:
        """What holds for looking."""
        return ExposureRules(
            soft_cap=timedelta(hours=self.exposure_soft_hours),
            hard_cap=timedelta(hours=self.exposure_hard_hours),
            work=timedelta(minutes=self.break_every_minutes),
            rest=timedelta(minutes=self.break_minutes),
            cut_off=None if self.cut_off == "never" else self.cut_off,
            day_begins=self.day_begins,
            longest_reveal=timedelta(seconds=self.longest_reveal_seconds),
        )

    @property
    def workers(self) -> int:
        """How many files are decoded at once."""
        return self.decode_workers or len(os.sched_getaffinity(0))
