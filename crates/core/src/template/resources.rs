//! The resource types of the wild as CloudFormation knows them: properties, which of them are required, which of
//! them replace the resource when they change, and the attributes that `Fn::GetAtt` can ask for.
//!
//! Data only. Never says which of these types Landfall can build: the stack engine does.

use super::schema::ResourceSchema;

/// Every type, sorted by name. In `properties` a `*` marks a required one and a `!` one whose change replaces the
/// resource.
pub(super) static SCHEMAS: &[ResourceSchema] = &[
    ResourceSchema {
        resource_type: "AWS::CDK::Metadata",
        properties: "",
        attributes: "",
    },
    ResourceSchema {
        resource_type: "AWS::CloudFormation::CustomResource",
        properties: "ServiceTimeout ServiceToken*!",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::CloudFormation::Stack",
        properties: "NotificationARNs Parameters Tags TemplateURL* TimeoutInMinutes",
        attributes: "StackId",
    },
    ResourceSchema {
        resource_type: "AWS::CloudFormation::WaitConditionHandle",
        properties: "",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::CloudTrail::Trail",
        properties: "AdvancedEventSelectors AggregationConfigurations CloudWatchLogsLogGroupArn \
                     CloudWatchLogsRoleArn EnableLogFileValidation EventSelectors \
                     IncludeGlobalServiceEvents InsightSelectors IsLogging* IsMultiRegionTrail \
                     IsOrganizationTrail KMSKeyId S3BucketName* S3KeyPrefix SnsTopicName Tags \
                     TrailName!",
        attributes: "Arn SnsTopicArn",
    },
    ResourceSchema {
        resource_type: "AWS::CloudWatch::Alarm",
        properties: "ActionsEnabled AlarmActions AlarmDescription AlarmName! ComparisonOperator \
                     DatapointsToAlarm Dimensions EvaluateLowSampleCountPercentile \
                     EvaluationCriteria EvaluationInterval EvaluationPeriods ExtendedStatistic \
                     InsufficientDataActions MetricName Metrics Namespace OKActions Period \
                     Statistic Tags Threshold ThresholdMetricId TreatMissingData Unit",
        attributes: "Arn",
    },
    ResourceSchema {
        resource_type: "AWS::DynamoDB::Table",
        properties: "AttributeDefinitions BillingMode ContributorInsightsSpecification \
                     DeletionProtectionEnabled GlobalSecondaryIndexes ImportSourceSpecification! \
                     KeySchema* KinesisStreamSpecification LocalSecondaryIndexes \
                     OnDemandThroughput PointInTimeRecoverySpecification ProvisionedThroughput \
                     ResourcePolicy SSESpecification StreamSpecification TableClass TableName! \
                     Tags TimeToLiveSpecification WarmThroughput",
        attributes: "Arn StreamArn",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::EIP",
        properties: "Address! Domain InstanceId IpamPoolId! NetworkBorderGroup! PublicIpv4Pool \
                     Tags TransferAddress!",
        attributes: "PublicIp AllocationId",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::FlowLog",
        properties: "DeliverCrossAccountRole! DeliverLogsPermissionArn! DestinationOptions! \
                     LogDestination! LogDestinationType! LogFormat! LogGroupName! \
                     MaxAggregationInterval! ResourceId*! ResourceType*! Tags TrafficType!",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::InternetGateway",
        properties: "Tags",
        attributes: "InternetGatewayId",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::NatGateway",
        properties: "AllocationId! AvailabilityMode! AvailabilityZoneAddresses ConnectivityType! \
                     MaxDrainDurationSeconds PrivateIpAddress! SecondaryAllocationIds \
                     SecondaryPrivateIpAddressCount SecondaryPrivateIpAddresses SubnetId! Tags \
                     VpcId!",
        attributes: "NatGatewayId EniId AutoProvisionZones AutoScalingIps RouteTableId",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::Route",
        properties: "CarrierGatewayId CoreNetworkArn DestinationCidrBlock! \
                     DestinationIpv6CidrBlock! DestinationPrefixListId! \
                     EgressOnlyInternetGatewayId GatewayId InstanceId LocalGatewayId \
                     NatGatewayId NetworkInterfaceId RouteTableId*! TransitGatewayId \
                     VpcEndpointId VpcPeeringConnectionId",
        attributes: "CidrBlock",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::RouteTable",
        properties: "Tags VpcId*!",
        attributes: "RouteTableId",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::SecurityGroup",
        properties: "GroupDescription*! GroupName! SecurityGroupEgress SecurityGroupIngress Tags \
                     VpcId!",
        attributes: "Id GroupId VpcId",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::SecurityGroupEgress",
        properties: "CidrIp! CidrIpv6! Description DestinationPrefixListId! \
                     DestinationSecurityGroupId! FromPort! GroupId*! IpProtocol*! ToPort!",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::SecurityGroupIngress",
        properties: "CidrIp! CidrIpv6! Description FromPort! GroupId! GroupName! IpProtocol*! \
                     SourcePrefixListId! SourceSecurityGroupId! SourceSecurityGroupName! \
                     SourceSecurityGroupOwnerId! ToPort!",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::Subnet",
        properties: "AssignIpv6AddressOnCreation AvailabilityZone! AvailabilityZoneId! \
                     CidrBlock! EnableDns64 EnableLniAtDeviceIndex Ipv4IpamPoolId! \
                     Ipv4NetmaskLength! Ipv6CidrBlock Ipv6IpamPoolId! Ipv6Native! \
                     Ipv6NetmaskLength! MapPublicIpOnLaunch OutpostArn! \
                     PrivateDnsNameOptionsOnLaunch Tags VpcId*!",
        attributes: "NetworkAclAssociationId SubnetId Ipv6CidrBlocks BlockPublicAccessStates \
                     AvailabilityZone CidrBlock VpcId",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::SubnetRouteTableAssociation",
        properties: "RouteTableId*! SubnetId*!",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::VPC",
        properties: "CidrBlock! EnableDnsHostnames EnableDnsSupport InstanceTenancy \
                     Ipv4IpamPoolId! Ipv4NetmaskLength! Tags",
        attributes: "CidrBlockAssociations DefaultNetworkAcl DefaultSecurityGroup Ipv6CidrBlocks \
                     VpcId CidrBlock",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::VPCEndpoint",
        properties: "DnsOptions IpAddressType PolicyDocument PrivateDnsEnabled \
                     ResourceConfigurationArn! RouteTableIds SecurityGroupIds ServiceName! \
                     ServiceNetworkArn! ServiceRegion! SubnetIds Tags VpcEndpointType! VpcId*!",
        attributes: "NetworkInterfaceIds CreationTimestamp DnsEntries Id",
    },
    ResourceSchema {
        resource_type: "AWS::EC2::VPCGatewayAttachment",
        properties: "InternetGatewayId VpcId*! VpnGatewayId",
        attributes: "AttachmentType",
    },
    ResourceSchema {
        resource_type: "AWS::ECR::Repository",
        properties: "EmptyOnDelete EncryptionConfiguration! ImageScanningConfiguration \
                     ImageTagMutability ImageTagMutabilityExclusionFilters LifecyclePolicy \
                     RepositoryName! RepositoryPolicyText Tags",
        attributes: "Arn RepositoryUri",
    },
    ResourceSchema {
        resource_type: "AWS::ECS::CapacityProvider",
        properties: "AutoScalingGroupProvider ClusterName! ManagedInstancesProvider Name! Tags",
        attributes: "",
    },
    ResourceSchema {
        resource_type: "AWS::ECS::Cluster",
        properties: "CapacityProviders ClusterName! ClusterSettings Configuration \
                     DefaultCapacityProviderStrategy ServiceConnectDefaults Tags",
        attributes: "Arn",
    },
    ResourceSchema {
        resource_type: "AWS::ECS::ClusterCapacityProviderAssociations",
        properties: "CapacityProviders Cluster*! DefaultCapacityProviderStrategy*",
        attributes: "",
    },
    ResourceSchema {
        resource_type: "AWS::ECS::Service",
        properties: "AvailabilityZoneRebalancing CapacityProviderStrategy Cluster! \
                     DeploymentConfiguration DeploymentController DesiredCount \
                     EnableECSManagedTags EnableExecuteCommand ForceNewDeployment \
                     HealthCheckGracePeriodSeconds LaunchType LoadBalancers NetworkConfiguration \
                     PlacementConstraints PlacementStrategies PlatformVersion PropagateTags \
                     Role! SchedulingStrategy! ServiceConnectConfiguration ServiceName! \
                     ServiceRegistries Tags TaskDefinition VolumeConfigurations \
                     VpcLatticeConfigurations",
        attributes: "ServiceArn Name",
    },
    ResourceSchema {
        resource_type: "AWS::ECS::TaskDefinition",
        properties: "ContainerDefinitions! Cpu! EnableFaultInjection! EphemeralStorage! \
                     ExecutionRoleArn! Family! InferenceAccelerators! IpcMode! Memory! \
                     NetworkMode! PidMode! PlacementConstraints! ProxyConfiguration! \
                     RequiresCompatibilities! RuntimePlatform! Tags TaskRoleArn! Volumes!",
        attributes: "TaskDefinitionArn",
    },
    ResourceSchema {
        resource_type: "AWS::Events::Archive",
        properties: "ArchiveName! Description EventPattern KmsKeyIdentifier RetentionDays \
                     SourceArn*!",
        attributes: "Arn ArchiveName",
    },
    ResourceSchema {
        resource_type: "AWS::Events::EventBus",
        properties: "DeadLetterConfig Description EventSourceName KmsKeyIdentifier LogConfig \
                     Name*! Policy Tags",
        attributes: "Arn Name Policy",
    },
    ResourceSchema {
        resource_type: "AWS::Events::EventBusPolicy",
        properties: "Action Condition EventBusName! Principal Statement StatementId*!",
        attributes: "",
    },
    ResourceSchema {
        resource_type: "AWS::Events::Rule",
        properties: "Description EventBusName EventPattern Name! RoleArn ScheduleExpression \
                     State Tags Targets",
        attributes: "Arn",
    },
    ResourceSchema {
        resource_type: "AWS::IAM::InstanceProfile",
        properties: "InstanceProfileName! Path! Roles*",
        attributes: "Arn",
    },
    ResourceSchema {
        resource_type: "AWS::IAM::ManagedPolicy",
        properties: "Description! Groups ManagedPolicyName! Path! PolicyDocument* Roles Users",
        attributes: "PolicyArn AttachmentCount CreateDate DefaultVersionId IsAttachable \
                     PermissionsBoundaryUsageCount PolicyId UpdateDate",
    },
    ResourceSchema {
        resource_type: "AWS::IAM::Policy",
        properties: "Groups PolicyDocument* PolicyName* Roles Users",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::IAM::Role",
        properties: "AssumeRolePolicyDocument* Description ManagedPolicyArns MaxSessionDuration \
                     Path! PermissionsBoundary Policies RoleName! Tags",
        attributes: "Arn RoleId",
    },
    ResourceSchema {
        resource_type: "AWS::KMS::Alias",
        properties: "AliasName*! TargetKeyId*",
        attributes: "",
    },
    ResourceSchema {
        resource_type: "AWS::KMS::Key",
        properties: "BypassPolicyLockoutSafetyCheck Description EnableKeyRotation Enabled \
                     KeyPolicy KeySpec KeyUsage MultiRegion Origin PendingWindowInDays \
                     RotationPeriodInDays Tags",
        attributes: "Arn KeyId",
    },
    ResourceSchema {
        resource_type: "AWS::Lambda::Function",
        properties: "Architectures CapacityProviderConfig Code* CodeSigningConfigArn \
                     DeadLetterConfig Description DurableConfig Environment EphemeralStorage \
                     FileSystemConfigs FunctionName! FunctionScalingConfig Handler ImageConfig \
                     KmsKeyArn Layers LoggingConfig MemorySize PackageType! \
                     PublishToLatestPublished RecursiveLoop ReservedConcurrentExecutions Role* \
                     Runtime RuntimeManagementConfig SnapStart Tags TenancyConfig! Timeout \
                     TracingConfig VpcConfig",
        attributes: "SnapStartResponse SnapStartResponse.ApplyOn \
                     SnapStartResponse.OptimizationStatus Arn",
    },
    ResourceSchema {
        resource_type: "AWS::Lambda::Permission",
        properties: "Action*! EventSourceToken! FunctionName*! FunctionUrlAuthType! \
                     InvokedViaFunctionUrl! Principal*! PrincipalOrgID! SourceAccount! \
                     SourceArn!",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::Logs::LogGroup",
        properties: "BearerTokenAuthenticationEnabled DataProtectionPolicy \
                     DeletionProtectionEnabled FieldIndexPolicies KmsKeyId LogGroupClass \
                     LogGroupName! ResourcePolicyDocument RetentionInDays Tags",
        attributes: "Arn",
    },
    ResourceSchema {
        resource_type: "AWS::Logs::ResourcePolicy",
        properties: "PolicyDocument* PolicyName*!",
        attributes: "",
    },
    ResourceSchema {
        resource_type: "AWS::Pipes::Pipe",
        properties: "Description DesiredState Enrichment EnrichmentParameters KmsKeyIdentifier \
                     LogConfiguration Name! RoleArn* Source*! SourceParameters Tags Target* \
                     TargetParameters",
        attributes: "Arn CreationTime CurrentState LastModifiedTime StateReason",
    },
    ResourceSchema {
        resource_type: "AWS::S3::Bucket",
        properties: "AbacStatus AccelerateConfiguration AccessControl AnalyticsConfigurations \
                     BucketEncryption BucketName! BucketNamePrefix! BucketNamespace! \
                     CorsConfiguration IntelligentTieringConfigurations InventoryConfigurations \
                     LifecycleConfiguration LoggingConfiguration MetadataConfiguration \
                     MetadataTableConfiguration MetricsConfigurations NotificationConfiguration \
                     ObjectLockConfiguration ObjectLockEnabled OwnershipControls \
                     PublicAccessBlockConfiguration ReplicationConfiguration Tags \
                     VersioningConfiguration WebsiteConfiguration",
        attributes: "Arn DomainName DualStackDomainName RegionalDomainName \
                     MetadataTableConfiguration.S3TablesDestination.TableNamespace \
                     MetadataTableConfiguration.S3TablesDestination.TableArn \
                     MetadataConfiguration.Destination \
                     MetadataConfiguration.JournalTableConfiguration.TableName \
                     MetadataConfiguration.JournalTableConfiguration.TableArn \
                     MetadataConfiguration.InventoryTableConfiguration.TableName \
                     MetadataConfiguration.InventoryTableConfiguration.TableArn WebsiteURL",
    },
    ResourceSchema {
        resource_type: "AWS::S3::BucketPolicy",
        properties: "Bucket*! PolicyDocument*",
        attributes: "",
    },
    ResourceSchema {
        resource_type: "AWS::SNS::Subscription",
        properties: "DeliveryPolicy Endpoint! FilterPolicy FilterPolicyScope Protocol*! \
                     RawMessageDelivery RedrivePolicy Region ReplayPolicy SubscriptionRoleArn \
                     TopicArn*!",
        attributes: "Arn",
    },
    ResourceSchema {
        resource_type: "AWS::SNS::Topic",
        properties: "ArchivePolicy ContentBasedDeduplication DataProtectionPolicy \
                     DeliveryStatusLogging DisplayName FifoThroughputScope FifoTopic! \
                     KmsMasterKeyId SignatureVersion Subscription Tags TopicName! TracingConfig",
        attributes: "TopicArn TopicName",
    },
    ResourceSchema {
        resource_type: "AWS::SNS::TopicPolicy",
        properties: "PolicyDocument* Topics*",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::SQS::Queue",
        properties: "ContentBasedDeduplication DeduplicationScope DelaySeconds FifoQueue! \
                     FifoThroughputLimit KmsDataKeyReusePeriodSeconds KmsMasterKeyId \
                     MaximumMessageSize MessageRetentionPeriod QueueName! \
                     ReceiveMessageWaitTimeSeconds RedriveAllowPolicy RedrivePolicy \
                     SqsManagedSseEnabled Tags VisibilityTimeout",
        attributes: "QueueUrl Arn QueueName",
    },
    ResourceSchema {
        resource_type: "AWS::SQS::QueuePolicy",
        properties: "PolicyDocument* Queues*",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::SSM::Parameter",
        properties: "AllowedPattern DataType Description Name! Policies Tags Tier Type* Value*",
        attributes: "Type Value",
    },
    ResourceSchema {
        resource_type: "AWS::Scheduler::Schedule",
        properties: "Description EndDate FlexibleTimeWindow* GroupName KmsKeyArn Name! \
                     ScheduleExpression* ScheduleExpressionTimezone StartDate State Target*",
        attributes: "Arn",
    },
    ResourceSchema {
        resource_type: "AWS::SecretsManager::Secret",
        properties: "Description GenerateSecretString KmsKeyId Name! ReplicaRegions SecretString \
                     Tags Type",
        attributes: "Id",
    },
    ResourceSchema {
        resource_type: "AWS::StepFunctions::StateMachine",
        properties: "Definition DefinitionS3Location DefinitionString DefinitionSubstitutions \
                     EncryptionConfiguration LoggingConfiguration RoleArn* StateMachineName! \
                     StateMachineType! Tags TracingConfiguration",
        attributes: "Arn Name StateMachineRevisionId",
    },
];
