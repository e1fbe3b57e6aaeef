# ruff: noqa: ARG002  every type has the same three methods
"""SQS queues, SNS topics, and who may use them; who may put events on a bus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local_cloud.cloudformation.errors import UnsupportedPropertyError
from local_cloud.cloudformation.resources.base import Created, Desired, Resource, refuse_changes


def _attribute_text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


class Queue(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sqs-queue.html"""

    type_name = "AWS::SQS::Queue"
    replaces_on_update = False
    _ATTRIBUTES = (
        "ContentBasedDeduplication",
        "DelaySeconds",
        "FifoQueue",
        "KmsDataKeyReusePeriodSeconds",
        "KmsMasterKeyId",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "RedrivePolicy",
        "RedriveAllowPolicy",
        "SqsManagedSseEnabled",
        "VisibilityTimeout",
    )

    def create(self, desired: Desired) -> Created:
        desired.only(*self._ATTRIBUTES, "QueueName", "Tags")
        fifo = _attribute_text(desired.properties.get("FifoQueue", False)) == "true"
        name = str(desired.properties.get("QueueName") or desired.name(75) + (".fifo" if fifo else ""))
        url = desired.client("sqs").create_queue(
            QueueName=name, Attributes=self._attributes(desired), tags=desired.tags()
        )["QueueUrl"]
        return Created(url, {"Arn": self._arn(desired, name), "QueueName": name, "QueueUrl": url})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        desired.only(*self._ATTRIBUTES, "QueueName", "Tags")
        refuse_changes(desired, before, "QueueName", "FifoQueue")
        attributes = self._attributes(desired)
        attributes.pop("FifoQueue", None)
        sqs = desired.client("sqs")
        if attributes:
            sqs.set_queue_attributes(QueueUrl=old.physical_id, Attributes=attributes)
        if tags := desired.tags():
            sqs.tag_queue(QueueUrl=old.physical_id, Tags=tags)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("sqs").delete_queue(QueueUrl=old.physical_id)

    def _attributes(self, desired: Desired) -> dict[str, str]:
        given = desired.properties
        return {name: _attribute_text(given[name]) for name in self._ATTRIBUTES if name in given}

    @staticmethod
    def _arn(desired: Desired, name: str) -> str:
        return f"arn:aws:sqs:{desired.stack.region}:{desired.stack.account}:{name}"


class QueuePolicy(Resource):
    """A policy on queues; on update it is put again."""

    type_name = "AWS::SQS::QueuePolicy"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        desired.only("Queues", "PolicyDocument")
        self._set(desired, desired.properties["Queues"], json.dumps(desired.properties["PolicyDocument"]))
        return Created(desired.name(80))

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        self._set(desired, [url for url in before["Queues"] if url not in desired.properties["Queues"]], "")
        self._set(desired, desired.properties["Queues"], json.dumps(desired.properties["PolicyDocument"]))
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        self._set(desired, desired.properties["Queues"], "")

    @staticmethod
    def _set(desired: Desired, queues: list[str], policy: str) -> None:
        for url in queues:
            desired.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


class Topic(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sns-topic.html"""

    type_name = "AWS::SNS::Topic"
    replaces_on_update = False
    _ATTRIBUTES = ("DisplayName", "KmsMasterKeyId", "FifoTopic", "ContentBasedDeduplication", "TracingConfig")

    def create(self, desired: Desired) -> Created:
        desired.only(*self._ATTRIBUTES, "TopicName", "Subscription", "Tags")
        name = str(desired.properties.get("TopicName") or desired.name(256))
        sns = desired.client("sns")
        tags = [{"Key": key, "Value": value} for key, value in desired.tags().items()]
        arn = sns.create_topic(Name=name, Attributes=self._attributes(desired), Tags=tags)["TopicArn"]
        for subscription in desired.properties.get("Subscription") or []:
            sns.subscribe(TopicArn=arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])
        return Created(arn, {"TopicName": name, "TopicArn": arn})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        desired.only(*self._ATTRIBUTES, "TopicName", "Subscription", "Tags")
        refuse_changes(desired, before, "TopicName", "FifoTopic", "Subscription")
        for name, value in self._attributes(desired).items():
            desired.client("sns").set_topic_attributes(
                TopicArn=old.physical_id, AttributeName=name, AttributeValue=value
            )
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("sns").delete_topic(TopicArn=old.physical_id)

    def _attributes(self, desired: Desired) -> dict[str, str]:
        given = desired.properties
        return {name: _attribute_text(given[name]) for name in self._ATTRIBUTES if name in given}


class TopicPolicy(Resource):
    """A policy on topics; it goes with them, so deleting it alone leaves the topics' default."""

    type_name = "AWS::SNS::TopicPolicy"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        desired.only("Topics", "PolicyDocument")
        for arn in desired.properties["Topics"]:
            desired.client("sns").set_topic_attributes(
                TopicArn=arn,
                AttributeName="Policy",
                AttributeValue=json.dumps(desired.properties["PolicyDocument"]),
            )
        return Created(desired.name(80))

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        self.create(desired)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        """SNS has no way to take a policy away; nothing here reads it."""


_UNSET = {"RawMessageDelivery": "false", "FilterPolicyScope": "MessageAttributes"}


class Subscription(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sns-subscription.html"""

    type_name = "AWS::SNS::Subscription"
    _ATTRIBUTES = ("DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")

    def create(self, desired: Desired) -> Created:
        desired.only(*self._ATTRIBUTES, "TopicArn", "Protocol", "Endpoint")
        given = desired.properties
        if given["Protocol"] not in ("sqs", "lambda", "email", "email-json", "sms", "https", "http"):
            raise UnsupportedPropertyError(self.type_name, f"Protocol={given['Protocol']}")
        reply = desired.client("sns").subscribe(
            TopicArn=given["TopicArn"],
            Protocol=given["Protocol"],
            Endpoint=given.get("Endpoint", ""),
            Attributes={name: _attribute_text(given[name]) for name in self._ATTRIBUTES if name in given},
            ReturnSubscriptionArn=True,
        )
        return Created(reply["SubscriptionArn"], {"Arn": reply["SubscriptionArn"]})

    def replaces(self, desired: Desired, before: Mapping[str, Any]) -> bool:
        """SNS knows a subscription by these: made again with the same ones, it is the old one."""
        return any(before.get(name) != desired.properties.get(name) for name in ("TopicArn", "Protocol", "Endpoint"))

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        desired.only(*self._ATTRIBUTES, "TopicArn", "Protocol", "Endpoint")
        for name in self._ATTRIBUTES:
            if desired.properties.get(name) != before.get(name):
                desired.client("sns").set_subscription_attributes(
                    SubscriptionArn=old.physical_id,
                    AttributeName=name,
                    AttributeValue=_attribute_text(desired.properties.get(name, _UNSET.get(name, "{}"))),
                )
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("sns").unsubscribe(SubscriptionArn=old.physical_id)


class EventBusPolicy(Resource):
    """One statement of a bus's policy.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-events-eventbuspolicy.html
    """

    type_name = "AWS::Events::EventBusPolicy"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        given = desired.properties
        desired.only("EventBusName", "StatementId", "Statement")
        bus = str(given.get("EventBusName") or "default").rsplit("/", 1)[-1]
        events = desired.client("events")
        policy = json.loads(events.describe_event_bus(Name=bus).get("Policy") or '{"Statement": []}')
        others = [one for one in policy["Statement"] if one["Sid"] != given["StatementId"]]
        statement = {**given["Statement"], "Sid": given["StatementId"]}
        document = {"Version": "2012-10-17", "Statement": [*others, statement]}
        events.put_permission(EventBusName=bus, Policy=json.dumps(document))
        return Created(f"{bus}|{given['StatementId']}")

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "EventBusName", "StatementId")
        return self.create(desired)

    def delete(self, desired: Desired, old: Created) -> None:
        bus, _, statement_id = old.physical_id.partition("|")
        desired.client("events").remove_permission(EventBusName=bus, StatementId=statement_id)


TYPES: tuple[Resource, ...] = (Queue(), QueuePolicy(), Topic(), TopicPolicy(), Subscription(), EventBusPolicy())
