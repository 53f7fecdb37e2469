using System.CommandLine;
using System.Globalization;
using System.Numerics;

namespace Ingot.Trainer;

/// <summary>Options of a command that are numbers, with errors in the words of recipes.</summary>
internal static class NumberOption
{
    /// <summary>Makes the option --name.</summary>
    /// <param name="name">Its name without dashes.</param>
    /// <param name="description">What it means.</param>
    /// <param name="value">What it is if not given.</param>
    public static Option<T> Create<T>(string name, string description, T value)
        where T : struct, INumber<T> => new($"--{name}")
        {
            Description = description,
            HelpName = typeof(T) == typeof(double) ? "number" : "count",
            DefaultValueFactory = _ => value,
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (T.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out T number) && T.IsFinite(number))
                {
                    return number;
                }

                result.AddError($"--{name} is \"{text}\", but must be {(typeof(T) == typeof(double) ? "a number" : "a whole number")}");
                return default;
            },
        };
}
