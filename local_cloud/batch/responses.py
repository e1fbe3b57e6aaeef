"""Batch's operations as moto's server calls them: one method each, named as the path of the operation.

What has no method is refused by name; see `local_cloud.services.batch` for what moto still does by itself.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import functools
import json
from typing import Any
from urllib.parse import unquote

from moto.batch.exceptions import ClientException
from moto.batch.models import batch_backends
from moto.batch.responses import BatchResponse

from local_cloud.batch import (
    consumables,
    definitions,
    description,
    environments,
    listing,
    queues,
    requests,
    submission,
)
from local_cloud.batch.consumables import Consumable
from local_cloud.batch.live import SCHEDULER, now_ms
from local_cloud.batch.record import JobRecord
from local_cloud.durability import commits

_MOST_IN_SNAPSHOT = 100
_MOST_DESCRIBED = 100


class Batch(BatchResponse):
    """All operations that are emulated."""

    @property
    def batch_backend(self) -> Any:
        return batch_backends[self.current_account][self.region]

    def _get_action(self) -> str:
        action: str = super()._get_action()
        return action if hasattr(self, action) else "refuseoperation"

    def refuseoperation(self) -> str:
        raise NotImplementedError  # told by name, as those of all services are

    @property
    def _given(self) -> dict[str, Any]:
        body = self.body.decode() if isinstance(self.body, bytes) else self.body
        given: dict[str, Any] = json.loads(body or "{}")
        return given

    # Jobs

    def submitjob(self) -> str:
        backend = self.batch_backend
        records = submission.records(backend, self._given)
        job = records[0]
        with commits.together():  # else a crash could leave an array without some of its children
            backend._jobs.update({record.job_id: record for record in records})
            if job.tags:
                backend.tag_resource(job.arn, dict(job.tags))
        commits.afterwards(functools.partial(SCHEDULER.submit, records))
        return json.dumps({"jobArn": job.arn, "jobName": job.job_name, "jobId": job.job_id})

    def describejobs(self) -> str:
        jobs = self._given.get("jobs")
        if not jobs:
            raise ClientException("jobs must be specified")
        if len(jobs) > _MOST_DESCRIBED:
            raise ClientException(f"at most {_MOST_DESCRIBED} jobs can be described at once")
        shown = [found for one in jobs if (found := self._described(one)) is not None]
        return json.dumps({"jobs": shown})

    def _described(self, identifier: str) -> dict[str, Any] | None:
        backend = self.batch_backend
        job_id, _, node = identifier.rsplit("/", 1)[-1].partition("#")
        job: JobRecord | None = backend._jobs.get(job_id)
        if job is None:
            return None
        if node:
            return description.node_detail(job, int(node), backend) if int(node) < len(job.specs) else None
        return description.detail(job, backend)

    def listjobs(self) -> str:
        found, more = listing.jobs(self.batch_backend, self._given)
        return json.dumps({"jobSummaryList": found, **more})

    def canceljob(self) -> str:
        if (job := self._job_to_end()) is not None:
            SCHEDULER.cancel(job, self._given["reason"])
        return "{}"

    def terminatejob(self) -> str:
        if (job := self._job_to_end()) is not None:
            SCHEDULER.terminate(job, self._given["reason"])
        return "{}"

    def _job_to_end(self) -> JobRecord | None:
        given = self._given
        if not given.get("jobId") or not given.get("reason"):
            raise ClientException("jobId and reason must be specified")
        job: JobRecord | None = self.batch_backend._jobs.get(given["jobId"].rsplit("/", 1)[-1])
        return job

    # Job definitions

    def registerjobdefinition(self) -> str:
        made = definitions.register(self.batch_backend, self._given)
        shown = {"jobDefinitionArn": made.arn, "jobDefinitionName": made.name, "revision": made.revision}
        return json.dumps(shown)

    def deregisterjobdefinition(self) -> str:
        definitions.deregister(self.batch_backend, self._given["jobDefinition"])
        return "{}"

    def describejobdefinitions(self) -> str:
        found, more = requests.page(definitions.listed(self.batch_backend, self._given), self._given)
        return json.dumps({"jobDefinitions": [definitions.described(one) for one in found], **more})

    # Queues

    def createjobqueue(self) -> str:
        queue = queues.create(self.batch_backend, self._given)
        return json.dumps({"jobQueueArn": queue.arn, "jobQueueName": queue.name})

    def updatejobqueue(self) -> str:
        queue = queues.update(self.batch_backend, self._given)
        SCHEDULER.wake()
        return json.dumps({"jobQueueArn": queue.arn, "jobQueueName": queue.name})

    def deletejobqueue(self) -> str:
        queue = queues.delete(self.batch_backend, self._given.get("jobQueue"))
        for job in listing.of_queue(self.batch_backend, queue.arn) if queue is not None else ():
            SCHEDULER.terminate(job, "The job queue was deleted")
        return "{}"

    def describejobqueues(self) -> str:
        wanted = set(self._given.get("jobQueues") or ())
        known = self.batch_backend._job_queues.values()
        found = [queue for queue in known if not wanted or queue.arn in wanted or queue.name in wanted]
        chosen, more = requests.page(found, self._given)
        return json.dumps({"jobQueues": [queues.described(queue) for queue in chosen], **more})

    def getjobqueuesnapshot(self) -> str:
        queue = self.batch_backend.get_job_queue(self._given.get("jobQueue") or "")
        if queue is None:
            raise ClientException(f"Job queue {self._given.get('jobQueue')} does not exist")
        first = SCHEDULER.first_in_line(queue.arn)[:_MOST_IN_SNAPSHOT]
        jobs = [self.batch_backend._jobs[job.job_id] for job in first]
        shown = [{"jobArn": job.arn, "earliestTimeAtPosition": job.runnable_at or job.created_at} for job in jobs]
        return json.dumps({"frontOfQueue": {"jobs": shown, "lastUpdatedAt": now_ms()}})

    # Compute environments

    def createcomputeenvironment(self) -> str:
        made = environments.create(self.batch_backend, self._given)
        return json.dumps({"computeEnvironmentArn": made.arn, "computeEnvironmentName": made.name})

    def updatecomputeenvironment(self) -> str:
        changed = environments.update(self.batch_backend, self._given)
        SCHEDULER.wake()
        return json.dumps({"computeEnvironmentArn": changed.arn, "computeEnvironmentName": changed.name})

    def deletecomputeenvironment(self) -> str:
        environments.delete(self.batch_backend, self._given.get("computeEnvironment"))
        return "{}"

    def describecomputeenvironments(self) -> str:
        found = self.batch_backend.describe_compute_environments(self._given.get("computeEnvironments") or None)
        chosen, more = requests.page(found, self._given)
        shown = [environments.described(one, SCHEDULER.vcpus_in(one["computeEnvironmentArn"])) for one in chosen]
        return json.dumps({"computeEnvironments": shown, **more})

    # Scheduling policies

    def createschedulingpolicy(self) -> str:
        given = self._given
        requests.refuse("CreateSchedulingPolicy", given, ("quotaSharePolicy",))
        name = requests.check_name("Scheduling policy name", given.get("name"))
        if any(policy.name == name for policy in self.batch_backend._scheduling_policies.values()):
            raise ClientException(f"Scheduling policy {name} already exists")
        policy = given.get("fairsharePolicy") or {}
        queues.check_fair_share(policy)
        made = self.batch_backend.create_scheduling_policy(name, policy, requests.check_tags(given.get("tags")))
        return json.dumps(made.to_dict(create=True))

    def updateschedulingpolicy(self) -> str:
        given = self._given
        requests.refuse("UpdateSchedulingPolicy", given, ("quotaSharePolicy",))
        if given.get("arn") not in self.batch_backend._scheduling_policies:
            raise ClientException(f"Scheduling policy {given.get('arn')} does not exist")
        policy = given.get("fairsharePolicy") or {}
        queues.check_fair_share(policy)
        self.batch_backend.update_scheduling_policy(given["arn"], policy)
        SCHEDULER.wake()
        return "{}"

    def deleteschedulingpolicy(self) -> str:
        queues.delete_policy(self.batch_backend, self._given["arn"])
        return "{}"

    def listschedulingpolicies(self) -> str:
        found, more = requests.page(self.batch_backend.list_scheduling_policies(), self._given)
        return json.dumps({"schedulingPolicies": [{"arn": arn} for arn in found], **more})

    # Consumable resources

    def createconsumableresource(self) -> str:
        given, backend = self._given, self.batch_backend
        tags = requests.check_tags(given.get("tags"))
        with requests.answered():
            made = consumables.new(
                backend,
                str(given.get("consumableResourceName") or ""),
                given.get("resourceType"),
                int(given.get("totalQuantity") or 0),
                now_ms(),
            )
        if tags:
            backend.tag_resource(made.arn, tags)
        return json.dumps({"consumableResourceName": made.name, "consumableResourceArn": made.arn})

    def describeconsumableresource(self) -> str:
        found = self._consumable()
        return json.dumps(
            {
                **_shown(found),
                "availableQuantity": found.available,
                "createdAt": found.created_at,
                "tags": self.batch_backend.list_tags_for_resource(found.arn),
            }
        )

    def updateconsumableresource(self) -> str:
        given, found = self._given, self._consumable()
        with requests.answered():
            found.update(str(given.get("operation") or "SET"), int(given.get("quantity") or 0))
        SCHEDULER.wake()
        shown = _shown(found)
        return json.dumps(
            {key: shown[key] for key in ("consumableResourceName", "consumableResourceArn", "totalQuantity")}
        )

    def listconsumableresources(self) -> str:
        known = list(consumables.of_backend(self.batch_backend).values())
        for item in self._given.get("filters") or []:
            if item["name"] != "CONSUMABLE_RESOURCE_NAME":
                raise ClientException(f"batch:ListConsumableResources: the filter {item['name']} is not emulated")
            known = [one for one in known if any(requests.is_named(one.name, value) for value in item["values"])]
        found, more = requests.page(known, self._given)
        return json.dumps({"consumableResources": [_shown(one) for one in found], **more})

    def listjobsbyconsumableresource(self) -> str:
        found, more = listing.of_consumable(self.batch_backend, self._consumable(), self._given)
        return json.dumps({"jobs": found, **more})

    def deleteconsumableresource(self) -> str:
        found = self._consumable()
        backend = self.batch_backend
        if any(found.arn in job.tokens and not job.has_ended for job in backend._jobs.values()):
            raise ClientException(f"Cannot delete, jobs need the consumable resource {found.name}")
        del consumables.of_backend(backend)[found.arn]
        return "{}"

    def _consumable(self) -> Consumable:
        identifier = str(self._given.get("consumableResource") or "")
        found = consumables.find(self.batch_backend, identifier)
        if found is None:
            raise ClientException(f"Consumable resource {identifier} does not exist")
        return found

    # Tags

    def tags(self) -> str:
        arn = unquote(self.path).split("/v1/tags/")[-1]
        if not self._exists(arn):
            raise ClientException(f"Resource {arn} does not exist")
        if self.method == "POST":
            new = requests.check_tags(self._given.get("tags"))
            requests.check_tags({**self.batch_backend.list_tags_for_resource(arn), **new})
        answer: str = super().tags()
        return answer or "{}"

    def _exists(self, arn: str) -> bool:
        backend = self.batch_backend
        if ":job/" in arn:
            return arn.rsplit("/", 1)[-1] in backend._jobs
        known = (
            backend._compute_environments,
            backend._job_queues,
            backend._job_definitions,
            backend._scheduling_policies,
            consumables.of_backend(backend),
        )
        return any(arn in resources for resources in known)


def _shown(resource: Consumable) -> dict[str, Any]:
    return {
        "consumableResourceName": resource.name,
        "consumableResourceArn": resource.arn,
        "totalQuantity": resource.total,
        "inUseQuantity": resource.in_use,
        "resourceType": resource.kind,
    }
