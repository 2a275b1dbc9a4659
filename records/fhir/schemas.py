"""What stands in the addresses of the FHIR interface; its bodies are resources of FHIR R4."""

from pydantic import Field

from core.api import Received


class ResourcePath(Received):
    resource_id: str = Field(description="the logical id")


class VersionPath(ResourcePath):
    version: int = Field(description="versionId")
