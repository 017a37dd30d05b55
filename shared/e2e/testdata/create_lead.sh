curl -X POST https://your-domain.com/api/v1/chatbots/cb_1234567890abcdef/leads \
-H "Authorization: Bearer sk-workspace_your_api_key" \
-H "Content-Type: application/json" \
-d '{
"name": "John Doe",
"email": "john.doe@example.com",
"phone": "+1-555-123-4567",
"source": "website",
"status": "new",
"metadata": {
"utm_source": "google",
"company": "Tech Corp"
}
}'
