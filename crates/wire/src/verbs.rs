//! The table from operations to verbs of the pipeline: which of them write and which only read. Never decides.

/// Writes the async methods of a service whose first field is the [`landfall_flow::Flow`]. A `write` runs on the
/// loop and answers after its commit; a `read` sees the committed state.
#[macro_export]
macro_rules! verbs {
    ($service:ident { $($kind:ident $method:ident($request:ty) -> $response:ty = |$db:ident, $caller:ident, $r:ident| $body:expr;)* }) => {
        impl $service {
            $($crate::verbs!(@$kind $method, $request, $response, $db, $caller, $r, $body);)*
        }
    };
    (@write $method:ident, $request:ty, $response:ty, $db:ident, $caller:ident, $r:ident, $body:expr) => {
        async fn $method(
            &self,
            caller: ::landfall_core::caller::Caller,
            $r: $request,
        ) -> Result<$response, ::landfall_core::error::ApiError> {
            self.0
                .write(move |$db| {
                    let $caller = &caller;
                    let answer: Result<$response, ::landfall_core::error::ApiError> = $body;
                    $db.tell(answer)
                })
                .await
        }
    };
    (@read $method:ident, $request:ty, $response:ty, $db:ident, $caller:ident, $r:ident, $body:expr) => {
        async fn $method(
            &self,
            caller: ::landfall_core::caller::Caller,
            request: $request,
        ) -> Result<$response, ::landfall_core::error::ApiError> {
            let ($db, $caller, $r) = (&self.0.view(), &caller, &request);
            $body
        }
    };
}
