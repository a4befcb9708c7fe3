//! AWS CloudFormation: stacks and change sets. Never builds anything: the pipeline's `build` room does.

use landfall_core::api::generated::cloudformation as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits::CLOUDFORMATION_DESCRIBE_WAIT;
use landfall_flow::{Flow, build};

/// The service.
pub struct CloudFormation(pub Flow);

crate::service! {
    impl CloudFormation for api::SERVICE {
        CreateChangeSet => create_change_set,
        CreateStack => create_stack,
        DeleteChangeSet => delete_change_set,
        DeleteStack => delete_stack,
        DescribeChangeSet => describe_change_set,
        DescribeStackEvents => describe_stack_events,
        DescribeStackResource => describe_stack_resource,
        DescribeStackResources => describe_stack_resources,
        DescribeStacks => describe_stacks,
        ExecuteChangeSet => execute_change_set,
        GetTemplate => get_template,
        GetTemplateSummary => get_template_summary,
        ListChangeSets => list_change_sets,
        ListExports => list_exports,
        ListImports => list_imports,
        ListStackResources => list_stack_resources,
        ListStacks => list_stacks,
        UpdateStack => update_stack,
        UpdateTerminationProtection => update_termination_protection,
        ValidateTemplate => validate_template,
    }
}

crate::verbs! { CloudFormation {
    write delete_change_set(api::DeleteChangeSetInput) -> api::DeleteChangeSetOutput =
        |tx, caller, r| build::delete_change_set(tx, caller, &r);
    write delete_stack(api::DeleteStackInput) -> () =
        |tx, caller, r| build::delete_stack(tx, caller, r);
    read describe_change_set(api::DescribeChangeSetInput) -> api::DescribeChangeSetOutput =
        |db, caller, r| build::describe_change_set(db, caller, r);
    read describe_stack_events(api::DescribeStackEventsInput) -> api::DescribeStackEventsOutput =
        |db, caller, r| build::describe_stack_events(db, caller, r);
    read describe_stack_resource(api::DescribeStackResourceInput) -> api::DescribeStackResourceOutput =
        |db, caller, r| build::describe_stack_resource(db, caller, r);
    read describe_stack_resources(api::DescribeStackResourcesInput) -> api::DescribeStackResourcesOutput =
        |db, caller, r| build::describe_stack_resources(db, caller, r);
    write execute_change_set(api::ExecuteChangeSetInput) -> api::ExecuteChangeSetOutput =
        |tx, caller, r| build::execute_change_set(tx, caller, r);
    read get_template(api::GetTemplateInput) -> api::GetTemplateOutput =
        |db, caller, r| build::get_template(db, caller, r);
    read list_change_sets(api::ListChangeSetsInput) -> api::ListChangeSetsOutput =
        |db, caller, r| build::list_change_sets(db, caller, r);
    read list_exports(api::ListExportsInput) -> api::ListExportsOutput =
        |db, caller, r| build::list_exports(db, caller, r);
    read list_imports(api::ListImportsInput) -> api::ListImportsOutput =
        |db, caller, r| build::list_imports(db, caller, r);
    read list_stack_resources(api::ListStackResourcesInput) -> api::ListStackResourcesOutput =
        |db, caller, r| build::list_stack_resources(db, caller, r);
    read list_stacks(api::ListStacksInput) -> api::ListStacksOutput =
        |db, caller, r| build::list_stacks(db, caller, r);
    write update_termination_protection(api::UpdateTerminationProtectionInput)
        -> api::UpdateTerminationProtectionOutput =
        |tx, caller, r| build::update_termination_protection(tx, caller, &r);
}}

impl CloudFormation {
    /// Who asks for one stack that is under way gets the answer when it has settled, or after a moment: stock clients
    /// ask at once and then only every half minute, and most stacks settle within the first moment.
    async fn describe_stacks(
        &self,
        caller: Caller,
        request: api::DescribeStacksInput,
    ) -> Result<api::DescribeStacksOutput, ApiError> {
        let look = || build::describe_stacks(&self.0.view(), &caller, &request);
        let answer = look()?;
        let Some(id) = under_way(&request, &answer) else {
            return Ok(answer);
        };
        let waiter = self.0.waiter(&id);
        let woken = waiter.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        // It may have settled before anybody listened.
        let answer = look()?;
        if under_way(&request, &answer).is_none() {
            return Ok(answer);
        }
        match tokio::time::timeout(CLOUDFORMATION_DESCRIBE_WAIT, woken).await {
            Ok(()) => look(),
            Err(_) => Ok(answer),
        }
    }
}

/// The id of the one stack that is asked for, while an operation on it is under way.
fn under_way(
    request: &api::DescribeStacksInput,
    answer: &api::DescribeStacksOutput,
) -> Option<String> {
    request.stack_name.as_ref()?;
    let [stack] = answer.stacks.as_deref()? else {
        return None;
    };
    let status = stack.stack_status.as_deref()?;
    let is_moving = status.ends_with("_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS";
    stack.stack_id.clone().filter(|_| is_moving)
}

/// These may take their template from a bucket, which is read before the verb runs.
impl CloudFormation {
    async fn fetched(&self, url: Option<&str>) -> Result<Option<String>, ApiError> {
        match url {
            Some(url) => build::fetch(&self.0, url).await.map(Some),
            None => Ok(None),
        }
    }

    async fn create_change_set(
        &self,
        caller: Caller,
        request: api::CreateChangeSetInput,
    ) -> Result<api::CreateChangeSetOutput, ApiError> {
        let text = self.fetched(request.template_url.as_deref()).await?;
        self.0
            .write(move |tx| {
                let made = build::create_change_set(tx, &caller, request, text);
                tx.tell(made)
            })
            .await
    }

    async fn create_stack(
        &self,
        caller: Caller,
        request: api::CreateStackInput,
    ) -> Result<api::CreateStackOutput, ApiError> {
        let text = self.fetched(request.template_url.as_deref()).await?;
        self.0
            .write(move |tx| {
                let made = build::create_stack(tx, &caller, request, text);
                tx.tell(made)
            })
            .await
    }

    async fn update_stack(
        &self,
        caller: Caller,
        request: api::UpdateStackInput,
    ) -> Result<api::UpdateStackOutput, ApiError> {
        let text = self.fetched(request.template_url.as_deref()).await?;
        self.0
            .write(move |tx| {
                let made = build::update_stack(tx, &caller, request, text);
                tx.tell(made)
            })
            .await
    }

    async fn get_template_summary(
        &self,
        caller: Caller,
        request: api::GetTemplateSummaryInput,
    ) -> Result<api::GetTemplateSummaryOutput, ApiError> {
        let text = self.fetched(request.template_url.as_deref()).await?;
        build::get_template_summary(&self.0.view(), &caller, request, text)
    }

    async fn validate_template(
        &self,
        _: Caller,
        request: api::ValidateTemplateInput,
    ) -> Result<api::ValidateTemplateOutput, ApiError> {
        let text = self.fetched(request.template_url.as_deref()).await?;
        build::validate_template(&self.0.view(), request, text)
    }
}
