using System.Diagnostics;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Generation;

namespace Ingot.Trainer;

/// <summary>Writes texts in the order of their prompts, as soon as those before are there, and says how far it is.</summary>
internal sealed class GeneratedTextWriter(TextWriter output, IReadOnlyList<string> prompts, int textsForEach, bool json)
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly SortedDictionary<int, GeneratedText> _waiting = [];
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private int _next;
    private int _done;
    private long _tokens;

    /// <summary>Takes a text.</summary>
    public void Add(GeneratedText text)
    {
        _waiting.Add((text.Prompt * textsForEach) + text.Number, text);
        while (_waiting.Remove(_next, out GeneratedText? next))
        {
            output.WriteLine(json ? Json(next) : _next == 0 ? Plain(next) : $"\n{Plain(next)}");
            output.Flush();
            _next++;
        }

        _done++;
        _tokens += text.Tokens.Count;
        if (!Console.IsErrorRedirected)
        {
            double seconds = _watch.Elapsed.TotalSeconds;
            int all = prompts.Count * textsForEach;
            var left = TimeSpan.FromSeconds(seconds / _done * (all - _done));
            Console.Error.Write($"\r{_done}/{all} texts, {_tokens / seconds:N1} tokens/s, {left:h\\:mm\\:ss} left \r");
        }
    }

    private string Plain(GeneratedText text) => prompts[text.Prompt] + text.Text;

    private string Json(GeneratedText text) => JsonSerializer.Serialize(
        new
        {
            prompt = prompts[text.Prompt],
            text = text.Text,
            finishReason = text.FinishReason == FinishReason.Stop ? "stop" : "length",
            promptTokens = text.PromptTokens,
            newTokens = text.Tokens.Count,
            score = text.Score,
        },
        Readable);
}
