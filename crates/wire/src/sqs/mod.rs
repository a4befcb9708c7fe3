//! Amazon SQS. Never keeps a message: the pipeline does.

use landfall_core::api::generated::sqs as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_flow::Flow;
use landfall_flow::keep::queues;

/// The service.
pub struct Sqs(pub Flow);

crate::service! {
    impl Sqs for api::SERVICE {
        AddPermission => add_permission,
        ChangeMessageVisibility => change_visibility,
        ChangeMessageVisibilityBatch => change_visibility_batch,
        CreateQueue => create_queue,
        DeleteMessage => delete_message,
        DeleteMessageBatch => delete_message_batch,
        DeleteQueue => delete_queue,
        GetQueueAttributes => get_attributes,
        GetQueueUrl => get_url,
        ListDeadLetterSourceQueues => list_dead_letter_sources,
        ListQueueTags => list_tags,
        ListQueues => list_queues,
        PurgeQueue => purge,
        ReceiveMessage => receive,
        RemovePermission => remove_permission,
        SendMessage => send,
        SendMessageBatch => send_batch,
        SetQueueAttributes => set_attributes,
        TagQueue => tag,
        UntagQueue => untag,
    }
}

crate::verbs! { Sqs {
    write delete_queue(api::DeleteQueueRequest) -> () = |tx, caller, r| queues::delete(tx, caller, &r);
    write set_attributes(api::SetQueueAttributesRequest) -> () =
        |tx, caller, r| queues::set_attributes(tx, caller, r);
    write add_permission(api::AddPermissionRequest) -> () =
        |tx, caller, r| queues::add_permission(tx, caller, &r);
    write remove_permission(api::RemovePermissionRequest) -> () =
        |tx, caller, r| queues::remove_permission(tx, caller, &r);
    write tag(api::TagQueueRequest) -> () = |tx, caller, r| queues::tag(tx, caller, r);
    write untag(api::UntagQueueRequest) -> () = |tx, caller, r| queues::untag(tx, caller, &r);
    read list_tags(api::ListQueueTagsRequest) -> api::ListQueueTagsResult =
        |db, caller, r| queues::list_tags(db, caller, r);
    write send(api::SendMessageRequest) -> api::SendMessageResult =
        |tx, caller, r| queues::send(tx, caller, r);
    write send_batch(api::SendMessageBatchRequest) -> api::SendMessageBatchResult =
        |tx, caller, r| queues::send_batch(tx, caller, r);
    write delete_message(api::DeleteMessageRequest) -> () =
        |tx, caller, r| queues::delete_message(tx, caller, &r);
    write delete_message_batch(api::DeleteMessageBatchRequest) -> api::DeleteMessageBatchResult =
        |tx, caller, r| queues::delete_message_batch(tx, caller, r);
    write change_visibility(api::ChangeMessageVisibilityRequest) -> () =
        |tx, caller, r| queues::change_visibility(tx, caller, &r);
    write change_visibility_batch(api::ChangeMessageVisibilityBatchRequest)
        -> api::ChangeMessageVisibilityBatchResult =
        |tx, caller, r| queues::change_visibility_batch(tx, caller, r);
    write purge(api::PurgeQueueRequest) -> () = |tx, caller, r| queues::purge(tx, caller, &r);
} }

impl Sqs {
    async fn create_queue(
        &self,
        caller: Caller,
        request: api::CreateQueueRequest,
    ) -> Result<api::CreateQueueResult, ApiError> {
        let endpoint = self.0.endpoint().to_owned();
        self.0
            .write(move |tx| {
                let made = queues::create(tx, &caller, &endpoint, request);
                tx.tell(made)
            })
            .await
    }

    async fn get_url(
        &self,
        caller: Caller,
        request: api::GetQueueUrlRequest,
    ) -> Result<api::GetQueueUrlResult, ApiError> {
        queues::get_url(&self.0.view(), &caller, self.0.endpoint(), &request)
    }

    async fn list_queues(
        &self,
        caller: Caller,
        request: api::ListQueuesRequest,
    ) -> Result<api::ListQueuesResult, ApiError> {
        queues::list(&self.0.view(), &caller, self.0.endpoint(), &request)
    }

    async fn list_dead_letter_sources(
        &self,
        caller: Caller,
        request: api::ListDeadLetterSourceQueuesRequest,
    ) -> Result<api::ListDeadLetterSourceQueuesResult, ApiError> {
        queues::list_dead_letter_sources(&self.0.view(), &caller, self.0.endpoint(), &request)
    }

    async fn get_attributes(
        &self,
        caller: Caller,
        request: api::GetQueueAttributesRequest,
    ) -> Result<api::GetQueueAttributesResult, ApiError> {
        queues::get_attributes(&self.0.view(), &caller, self.0.clock().now(), &request)
    }

    async fn receive(
        &self,
        caller: Caller,
        request: api::ReceiveMessageRequest,
    ) -> Result<api::ReceiveMessageResult, ApiError> {
        queues::receive_waiting(&self.0, &caller, request).await
    }
}
