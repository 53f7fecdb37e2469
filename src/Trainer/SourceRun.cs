using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Generation;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>Writes a text for each of an input, in its order, and says what a reader of the result must know.</summary>
/// <param name="rewriter">Writes the texts.</param>
/// <param name="input">What it reads.</param>
/// <param name="context">Tokens of a text that the model reads.</param>
/// <param name="truncates">Whether longer ones lose their end.</param>
/// <param name="done">Texts of the input that an interrupted run has written already.</param>
/// <param name="progress">Is told of every text.</param>
/// <param name="interruption">Ends it.</param>
internal sealed class SourceRun(TextRewriter rewriter, SourceInput input, int context, bool truncates, long done, SourceProgress progress,
    Interruption interruption)
{
    private const int MostNames = 5;

    private static readonly JsonSerializerOptions Readable = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull,
    };

    private readonly List<string> _truncated = [];
    private readonly SortedDictionary<string, long> _languages = new(StringComparer.Ordinal);
    private long _written;
    private long _cutOff;

    /// <summary>Does it.</summary>
    /// <param name="path">File for the texts; null for standard output.</param>
    /// <param name="json">Whether each is a JSON object with its source.</param>
    /// <param name="maxNewTokens">The most tokens of a text, for the message about those that have so many.</param>
    /// <returns>The exit code.</returns>
    public int Write(string? path, bool json, int maxNewTokens)
    {
        try
        {
            // Nothing is written of a file that has a text too long, even if it is the last.
            if (input.IsRepeatable)
            {
                foreach ((string text, _) in Checked(Remaining()))
                {
                    progress.AllTexts++;
                    progress.AllTokens += string.IsNullOrWhiteSpace(text) ? 0 : rewriter.CountTokens(text);
                }
            }

            if (path is null)
            {
                Write(Console.Out, json);
            }
            else
            {
                WriteFile(path, json);
            }
        }
        catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
        {
            progress.Dispose();
            ReportInterruption(path);
            return interruption.ExitCode;
        }

        progress.Dispose();
        Report(path, maxNewTokens);
        return ExitCodes.Success;
    }

    /// <summary>The texts that an interrupted run has written for a file; a line that it did not finish is taken away.</summary>
    /// <exception cref="TrainingOptionsException">There are none.</exception>
    public static long CountWritten(string path)
    {
        if (!File.Exists(Partial(path)))
        {
            throw new TrainingOptionsException([$"--resume: there is no {Partial(path)} to go on with: leave it out to begin"]);
        }

        using FileStream file = File.Open(Partial(path), FileMode.Open, FileAccess.ReadWrite);
        var buffer = new byte[1 << 16];
        long lines = 0, end = 0;
        for (long at = 0; file.Read(buffer) is > 0 and int count; at += count)
        {
            ReadOnlySpan<byte> read = buffer.AsSpan(0, count);
            lines += read.Count((byte)'\n');
            end = read.LastIndexOf((byte)'\n') is >= 0 and int last ? at + last + 1 : end;
        }

        file.SetLength(end);
        return lines;
    }

    private static string Partial(string path) => path + ".partial";

    private void WriteFile(string path, bool json)
    {
        // Beside the name until all are there; what an interrupted run has written can be read.
        using (FileStream file = File.Open(Partial(path), done > 0 ? FileMode.Append : FileMode.Create, FileAccess.Write))
        {
            using (var output = new StreamWriter(file, leaveOpen: true))
            {
                Write(output, json);
            }

            file.Flush(flushToDisk: true);
        }

        File.Move(Partial(path), path, overwrite: true);
    }

    private void Write(TextWriter output, bool json)
    {
        // Texts come in the order of their sources, which are read ahead.
        var names = new Queue<string>();
        IEnumerable<string> sources = (input.IsRepeatable ? Remaining() : Checked(Remaining())).Select(source =>
        {
            names.Enqueue(source.Name);
            return source.Text;
        });
        foreach (RewrittenText text in rewriter.Rewrite(sources, interruption.Token))
        {
            string name = names.Dequeue();
            if (text.IsTruncated)
            {
                _truncated.Add(name);
            }

            if (text.SourceLanguage is { } language)
            {
                _languages[language] = _languages.GetValueOrDefault(language) + 1;
            }

            _cutOff += text.FinishReason == FinishReason.Length ? 1 : 0;
            output.WriteLine(json ? Json(text) : OneLine(text.Text));
            output.Flush();
            _written++;
        }
    }

    /// <summary>The texts behind those that are written already.</summary>
    private IEnumerable<(string Text, string Name)> Remaining()
    {
        long count = 0;
        foreach ((string Text, string Name) text in input.Texts)
        {
            if (++count > done)
            {
                yield return text;
            }
        }

        if (count < done)
        {
            throw new InvalidDataException($"--resume: {done:#,0} texts are written already, and the input has only {count:#,0}: "
                + "it is not the one that they were written of");
        }
    }

    private IEnumerable<(string Text, string Name)> Checked(IEnumerable<(string Text, string Name)> texts)
    {
        foreach ((string text, string name) in texts)
        {
            interruption.Token.ThrowIfCancellationRequested();
            if (!truncates && !string.IsNullOrWhiteSpace(text) && rewriter.CountTokens(text) is int tokens && tokens > context)
            {
                throw new InvalidDataException($"{name}: the text has {tokens:#,0} tokens, and the model reads {context:#,0} at most: "
                    + "shorten it, or let --truncation cut its end");
            }

            yield return (text, name);
        }
    }

    private void ReportInterruption(string? path)
    {
        long all = done + progress.AllTexts, written = done + _written;
        // While an input is still being checked, how many texts it has is not known.
        string texts = _written > 0 && progress.AllTexts > 0 ? $"{written:#,0} of {all:#,0} texts" : $"{written:#,0} texts";
        Console.Error.WriteLine(path is null ? $"interrupted: {texts} were written"
            : written == 0 ? $"interrupted before the first text was there; {path} is as it was"
            : $"interrupted: {texts} are in {Partial(path)}; {path} is as it was. The same command with --resume goes on behind them");
    }

    private void Report(string? path, int maxNewTokens)
    {
        if (_languages.Count > 0)
        {
            Console.Error.WriteLine($"languages: {string.Join(", ", _languages.Select(entry => $"{entry.Key} {entry.Value:#,0}"))}");
        }

        if (_truncated.Count > 0)
        {
            Console.Error.WriteLine($"warning: {_truncated.Count:#,0} of {_written:#,0} texts lost what the model cannot read "
                + $"beyond {context:#,0} tokens: {string.Join("; ", _truncated.Take(MostNames))}"
                + $"{(_truncated.Count > MostNames ? "; …" : "")}");
        }

        if (_cutOff > 0)
        {
            Console.Error.WriteLine($"warning: {_cutOff:#,0} of {_written:#,0} texts end where they had {maxNewTokens:#,0} tokens, and "
                + "not by themselves: --maxNewTokens allows more");
        }

        if (path is not null)
        {
            Console.Error.WriteLine($"{progress.Summary()}; written to {path}");
        }
    }

    // A line of the output belongs to a line of the input.
    private static string OneLine(string text) => text.ReplaceLineEndings(" ");

    private static string Json(RewrittenText text) => JsonSerializer.Serialize(
        new
        {
            text.Source,
            text.Text,
            text.SourceLanguage,
            text.SourceTokens,
            text.NewTokens,
            FinishReason = text.FinishReason == FinishReason.Stop ? "stop" : "length",
            text.Score,
        },
        Readable);
}
