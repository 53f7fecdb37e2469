namespace Ingot.Chat;

/// <summary>Chat templates that need no file, in the forms that the families' models were trained on.</summary>
internal static class BuiltInTemplates
{
    // What the model is to write is marked by {% generation %}, its end-of-turn token included. So is a space ahead of it, with which its
    // first word is one token.
    private const string ChatMl = """
        {%- for message in messages %}
        {{- '<|im_start|>' + message.role + '\n' }}
        {%- if message.role == 'assistant' %}
        {%- generation %}
        {{- message.content + '<|im_end|>' }}
        {%- endgeneration %}
        {%- else %}
        {{- message.content + '<|im_end|>' }}
        {%- endif %}
        {{- '\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
        {{- '<|im_start|>assistant\n' }}
        {%- endif %}
        """;

    // Qwen2.5 writes a system message of its own where the conversation has none.
    private const string Qwen = """
        {%- if messages[0].role != 'system' %}
        {{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}
        {%- endif %}

        """ + ChatMl;

    private const string Llama3 = """
        {{- bos_token | default('<|begin_of_text|>') }}
        {%- for message in messages %}
        {{- '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' }}
        {%- if message.role == 'assistant' %}
        {%- generation %}
        {{- message.content | trim + '<|eot_id|>' }}
        {%- endgeneration %}
        {%- else %}
        {{- message.content | trim + '<|eot_id|>' }}
        {%- endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
        {%- endif %}
        """;

    // The spacing is that of version 3. A system message goes into the first question, so that earlier turns stay as they are when a
    // conversation goes on.
    private const string Mistral = """
        {%- set system = messages[0].content if messages[0].role == 'system' else '' %}
        {%- set turns = messages[1:] if messages[0].role == 'system' else messages %}
        {{- bos_token | default('<s>') }}
        {%- for message in turns %}
        {%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate: user, assistant, user, assistant …') }}
        {%- endif %}
        {%- if message.role == 'user' %}
        {{- '[INST] ' + (system + '\n\n' if system and loop.first else '') + message.content + '[/INST]' }}
        {%- elif message.role == 'assistant' %}
        {%- generation %}
        {{- ' ' + message.content | trim + eos_token | default('</s>') }}
        {%- endgeneration %}
        {%- else %}
        {{- raise_exception('there are the roles system (once, at the start), user and assistant, not ' + message.role) }}
        {%- endif %}
        {%- endfor %}
        """;

    private const string Gemma = """
        {{- bos_token | default('<bos>') }}
        {%- set system = messages[0].content + '\n\n' if messages[0].role == 'system' else '' %}
        {%- set turns = messages[1:] if messages[0].role == 'system' else messages %}
        {%- for message in turns %}
        {%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate: user, assistant, user, assistant …') }}
        {%- endif %}
        {%- if message.role == 'assistant' %}
        {{- '<start_of_turn>model\n' }}
        {%- generation %}
        {{- message.content | trim + '<end_of_turn>' }}
        {%- endgeneration %}
        {%- else %}
        {{- '<start_of_turn>' + message.role + '\n' + (system if loop.first else '') + message.content | trim + '<end_of_turn>' }}
        {%- endif %}
        {{- '\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
        {{- '<start_of_turn>model\n' }}
        {%- endif %}
        """;

    private const string Zephyr = """
        {%- for message in messages %}
        {{- '<|' + message.role + '|>\n' }}
        {%- if message.role == 'assistant' %}
        {%- generation %}
        {{- message.content + eos_token | default('</s>') }}
        {%- endgeneration %}
        {%- else %}
        {{- message.content + eos_token | default('</s>') }}
        {%- endif %}
        {{- '\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
        {{- '<|assistant|>\n' }}
        {%- endif %}
        """;

    private const string Phi3 = """
        {%- for message in messages %}
        {{- '<|' + message.role + '|>\n' }}
        {%- if message.role == 'assistant' %}
        {%- generation %}
        {{- message.content + '<|end|>' }}
        {%- endgeneration %}
        {%- else %}
        {{- message.content + '<|end|>' }}
        {%- endif %}
        {{- '\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
        {{- '<|assistant|>\n' }}
        {%- endif %}
        """;

    // For models whose vocabulary has no token but the end of text: a turn is a line.
    private const string Plain = """
        {%- for message in messages %}
        {%- if message.role == 'assistant' %}
        {{- 'Assistant:' }}
        {%- generation %}
        {{- ' ' + message.content | trim + eos_token | default('\n') }}
        {%- endgeneration %}
        {%- else %}
        {{- message.role | capitalize + ': ' + message.content | trim + '\n' }}
        {%- endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}
        {{- 'Assistant:' }}
        {%- endif %}
        """;

    private static readonly OrderedDictionary<string, string> All = new(StringComparer.Ordinal)
    {
        ["chatml"] = ChatMl,
        ["gemma"] = Gemma,
        ["llama3"] = Llama3,
        ["mistral"] = Mistral,
        ["phi3"] = Phi3,
        ["plain"] = Plain,
        ["qwen"] = Qwen,
        ["zephyr"] = Zephyr,
    };

    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Names => [.. All.Keys];

    /// <summary>A template's text, or null if there is none of this name.</summary>
    public static string? Find(string name) => All.GetValueOrDefault(name);
}
